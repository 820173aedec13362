"""Texts for people and for disks: quotes, secrets, JSON."""
