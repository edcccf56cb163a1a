"""Steps at which RigL moves connections (Evci et al., 2020); without JAX."""

from typing import Any

from ltr.errors import ConfigError

EVERY = 100
"""Steps between two moves of connections."""

UNTIL = 0.75
"""Fraction of the training during which connections move."""


def is_move(step: Any, steps: int) -> Any:
    """Return whether connections move in a step (int32, scalar or array) of a training of `steps` steps."""
    return (step % EVERY == 0) & (step < UNTIL * steps)


def moves(first: int, last: int, steps: int) -> bool:
    """Return whether any step from `first` to `last`, exclusive, moves connections."""
    next_multiple = -(-first // EVERY) * EVERY
    return next_multiple < last and bool(is_move(next_multiple, steps))


def check(arm: str, steps: int, later: tuple[int, int]) -> None:
    """Raise ConfigError if the later trainings of an arm would never move a connection.

    Args:
        arm: name of the arm.
        steps: steps of the dense training.
        later: first and last step of later trainings.
    """
    if not moves(*later, steps):
        first, last = later
        raise ConfigError(
            f"arm.{arm}.method=rigl: would never move a connection, as rewind.name lets it train from step "
            f"{first} to {last}; needs a multiple of {EVERY} among them, before {UNTIL:.0%} of steps={steps}"
        )
