"""Three lanes of 14 steps, and what tests do with lanes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ltr.config.schema import Duration, Optimizer
from ltr.engine.running_batch import Outcome
from ltr.engine.trainer import InitialState, Progress
from ltr.methods.method import Method, MethodInput
from ltr.store.tables import LaneId

Run = Callable[..., Any]
AT = np.array([0, 3, 6, 9, 12, 14], np.int32)
ADAM = Optimizer(learning_rate=0.01, schedule="cosine", warmup=Duration(3))
EVERY = {"dense_1": 1.0, "dense_2": 1.0, "output": 1.0}
"""Layers that train packed at any density."""

LANES = [LaneId(1, 0, "ticket", 0), LaneId(1, 1, "ticket", 0), LaneId(1, 0, "random_reinit", 0)]
"""One more than there are devices."""


def ignore(progress: Progress) -> None:
    """Looks on, and does nothing."""


def begin(method: Method, name: str, start: InitialState) -> InitialState:
    """The start of a lane by another method, its next mask half of this."""
    target = jax.tree.map(lambda layer: int(layer.sum()) // 2, start.mask)
    span = int(AT[0]), int(AT[-1])
    inputs = MethodInput(start.mask, start.params, jax.random.key(1), target, span)
    params, method_state = method.begin(inputs)
    return InitialState(params, start.mask, start.key, method_state, name)


def identical(one: Outcome, other: Outcome) -> bool:
    """Whether weights and metrics agree bit for bit, NaN included."""
    pairs = zip(*(jax.tree.leaves(outcome[:3]) for outcome in (one, other)), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def counted(traces: list[Any]) -> Callable[[Run], Run]:
    """Wraps a program so that each of its traces is noted."""

    def wrap(program: Run) -> Run:
        def run(*arguments: Any) -> Any:
            traces.append(arguments)
            return program(*arguments)

        return run

    return wrap
