"""Experiment of Frankle & Carbin (2019): composed, run round by round, resumed."""
