"""The vocabulary: what strategies are written in. Imports nothing but the standard library."""
