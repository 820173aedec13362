"""How replies become one answer."""
