"""What a run keeps so that it goes on after its process has died."""
