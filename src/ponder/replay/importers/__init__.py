"""Traces that others have recorded."""
