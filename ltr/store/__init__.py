"""The run folder: identity, lock, checkpoints, tables."""
