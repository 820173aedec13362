"""How a method is declared, named and given options: strategies as coroutines, controllers over arrays."""
