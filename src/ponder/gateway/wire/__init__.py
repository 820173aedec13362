"""The fields of requests and replies."""
