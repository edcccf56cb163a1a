"""Run folders: identity, lock, checkpoints, tables."""
