"""Clusterers: one file each, found by name. None sees a label."""
