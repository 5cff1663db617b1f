"""Human norms as judges of word models: concreteness, categories, association."""
