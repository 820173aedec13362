"""What drives a strategy: live, over recorded samples, or on from where a crash left it."""
