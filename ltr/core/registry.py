"""Registries of optimizers and learning-rate schedules; importable without JAX."""

from dataclasses import dataclass
from typing import Annotated

import pydantic
from pydantic import Field

from ltr.config.schema import STRICT
from ltr.registry import Entry, Registry


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class AdamOptions:
    """Options of Adam; the defaults are those of the paper and of optax."""

    b1: Annotated[float, Field(ge=0, lt=1, description="decay rate of the mean of gradients")] = 0.9
    b2: Annotated[float, Field(ge=0, lt=1, description="decay rate of the mean of squared gradients")] = 0.999
    epsilon: Annotated[
        float, Field(gt=0, description="added to the square root of the mean of squared gradients")
    ] = 1e-8


OPTIMIZERS: Registry[Entry] = Registry(
    "optimizer.name",
    "optimizer",
    [
        Entry(
            name="adam",
            doc="Adam, with decoupled weight decay.",
            paper="Kingma & Ba, 2015",
            code="ltr.core.optimizers:adam",
            options=AdamOptions,
        ),
        Entry(name="sgd", doc="Stochastic gradient descent.", code="ltr.core.optimizers:sgd"),
        Entry(
            name="momentum",
            doc="Stochastic gradient descent with a velocity that decays by optimizer.momentum.",
            code="ltr.core.optimizers:momentum",
        ),
    ],
)
"""Code: configuration (and options) -> optax transformation from gradients to directions."""


@dataclass(frozen=True, kw_only=True)
class LearningRate(Entry):
    """A learning-rate schedule.

    Attributes:
        ends_at_zero: whether the learning rate of the last step is 0.
        needs_drops: whether it depends on `optimizer.drops` alone.
    """

    ends_at_zero: bool = False
    needs_drops: bool = False


SCHEDULES: Registry[LearningRate] = Registry(
    "optimizer.schedule",
    "schedule",
    [
        LearningRate(name="constant", doc="Constant learning rate.", code="ltr.core.optimizers:constant"),
        LearningRate(
            name="step",
            doc="Multiplied by optimizer.drop_factor at each of optimizer.drops.",
            code="ltr.core.optimizers:step",
            needs_drops=True,
        ),
        LearningRate(
            name="cosine",
            doc="Half a cosine, from optimizer.learning_rate to 0.",
            paper="Loshchilov & Hutter, 2017",
            code="ltr.core.optimizers:cosine",
            ends_at_zero=True,
        ),
    ],
)
"""Code: configuration, steps of the training, steps of an epoch -> optax schedule."""
