"""Foundations of the other packages: masks, random keys, optimizers, schedules, atomic files, machine."""
