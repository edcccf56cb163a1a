"""Core: masks, random keys, optimizers and schedules, which all other packages share."""
