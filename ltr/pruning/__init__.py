"""Pruning: a criterion scores weights, a target sets how many to keep, a selection keeps the highest."""
