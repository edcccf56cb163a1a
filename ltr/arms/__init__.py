"""Arms: the starts of the lanes of a round. `ticket` is the ticket itself; the others are controls.

An arm is a configuration (`configs/arm/`). It names entries of this package's registries: a mask, a shuffle
of it, a source of weights, and a treatment of pruned weights.
"""
