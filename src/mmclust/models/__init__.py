"""Pretrained models: checkpoints, weight files, pixels, and how they run."""
