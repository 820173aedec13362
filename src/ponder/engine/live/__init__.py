"""A run against a model: its actions, carried out concurrently, within the budget."""
