"""Sweeps: combinations of values, each trained as a job in its own run folder."""
