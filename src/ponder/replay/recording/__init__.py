"""Traces of our own: from a model and questions to a file."""
