"""Requests that go to the upstream as they are."""
