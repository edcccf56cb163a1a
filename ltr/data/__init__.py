"""Data sets: a registry of what there is, and loading one into memory."""
