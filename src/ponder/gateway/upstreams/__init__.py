"""The models behind the gateway, and which of them takes a call."""
