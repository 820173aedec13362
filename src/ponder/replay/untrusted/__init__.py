"""Controllers that a person wrote, made safe to compile."""
