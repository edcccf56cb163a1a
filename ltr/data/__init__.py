"""Data sets: their registry, preparation, splits and augmentation."""
