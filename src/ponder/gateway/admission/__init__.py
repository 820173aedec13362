"""Whether a request may run now: what it may cost, and whose turn it is."""
