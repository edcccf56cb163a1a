"""Trackers: where others look on at the curves of a run, such as TensorBoard."""
