"""Arms: what a lane of a round starts from. `ticket` is the finding, the others are its controls.

An arm is a configuration (`configs/arm/`): which connections it keeps, what their weights are, and
what becomes of the others, each by name in a registry of this package.
"""
