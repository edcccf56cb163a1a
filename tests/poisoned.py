"""Lanes that are made to diverge."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.engine.trainer import InitialState
from ltr.experiment.session import Session
from ltr.store.tables import LaneId

Poison = Callable[..., None]


def poisoning(patch: pytest.MonkeyPatch) -> Poison:
    """Makes lanes start with one bias that is NaN, or minus infinity, which ReLU hides from the loss."""
    initial_state = Session.initial_state

    def poison(*lanes: LaneId, value: float = np.nan) -> None:
        def poisoned(self: Session, lane: LaneId, *ticket: Any) -> InitialState:
            start = initial_state(self, lane, *ticket)
            if lane in lanes:
                start = start._replace(params=jax.tree.map(np.copy, start.params))
                start.params["dense_1"]["bias"][0] = value
            return start

        patch.setattr(Session, "initial_state", poisoned)

    return poison
