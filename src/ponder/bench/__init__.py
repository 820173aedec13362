"""Comparisons of methods: paired over questions, with intervals, on both cost axes."""
