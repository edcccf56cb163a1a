"""Pruning: a criterion scores the weights, a target says how many stay, a selection keeps the highest."""
