"""Keys and what each may spend."""
