"""Models that learn categories of words from captions, with pictures or without."""
