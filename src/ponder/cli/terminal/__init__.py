"""What the commands show, and how a run is carried out in the foreground."""
