"""Requests that a strategy answers."""
