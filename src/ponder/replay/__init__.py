"""Recorded samples and traces as environments."""
