"""Where raw files come from: the registry, the network, the built-in world."""
