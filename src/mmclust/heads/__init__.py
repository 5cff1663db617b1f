"""Text-aided clustering: the noun space, and the methods that use it."""
