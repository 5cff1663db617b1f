"""mmclust: reproducible clustering of images together with their captions."""

__version__ = "0.1.0"
