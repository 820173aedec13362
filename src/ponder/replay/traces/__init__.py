"""Trace files."""
