"""The configuration file, checked."""
