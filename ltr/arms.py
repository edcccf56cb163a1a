"""Arms: what a lane of a round starts from. `ticket` is the finding, the others are its controls."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import jax
import numpy as np

from ltr import masks
from ltr.config import Experiment, nearest
from ltr.errors import ConfigError
from ltr.pruning import selection
from ltr.store.tables import LaneId


class Ticket(NamedTuple):
    """A subnetwork: a mask (see `ltr.masks`) and float32 weights to start from, zero where it is False."""

    mask: Any
    weights: Any


class Source(NamedTuple):
    """What an arm may draw on, in one replicate and round.

    Attributes:
        ticket: the round's ticket.
        origin: weights at the rewind step, unmasked.
        dense_scores: () -> what the criterion says of the dense network after its training (round 0).
        init: key -> fresh weights.
    """

    ticket: Ticket
    origin: Any
    dense_scores: Callable[[], Any]
    init: Callable[[jax.Array], Any]


def ticket(source: Source, key: jax.Array) -> Ticket:
    """The subnetwork found by pruning, with its own weights."""
    return source.ticket


def random_reinit(source: Source, key: jax.Array) -> Ticket:
    """The ticket's mask, fresh weights: do the initial weights matter? (Frankle & Carbin, 2019).

    Fresh weights are untrained: rewinding to a later step, the ticket is that many steps ahead.
    """
    return _masked(source.ticket.mask, source.init(key))


def random_mask(source: Source, key: jax.Array) -> Ticket:
    """The ticket's weights under a mask shuffled within each layer: does the structure matter?

    (Frankle & Carbin, 2019, "random sparsity".)
    """
    leaves, structure = jax.tree.flatten(source.ticket.mask)
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    shuffled = [generator.permutation(leaf.ravel()).reshape(leaf.shape) for leaf in leaves]
    return _masked(jax.tree.unflatten(structure, shuffled), source.origin)


def one_shot(source: Source, key: jax.Array) -> Ticket:
    """The dense network pruned at once to the ticket's density in each layer: is iterating worth it?

    (Frankle & Carbin, 2019, section 2.)
    """
    return _masked(selection.to_counts(source.dense_scores(), source.ticket.mask), source.origin)


def _masked(mask: Any, weights: Any) -> Ticket:
    return Ticket(mask, masks.apply(mask, weights))


class Arm(NamedTuple):
    """How a lane starts, from the source and the lane's own key; `drawn`: whether that key matters."""

    start: Callable[[Source, jax.Array], Ticket]
    drawn: bool


ARMS: dict[str, Arm] = {
    "ticket": Arm(ticket, drawn=False),
    "random_reinit": Arm(random_reinit, drawn=True),
    "random_mask": Arm(random_mask, drawn=True),
    "one_shot": Arm(one_shot, drawn=False),
}


def lanes(experiment: Experiment, round: int) -> list[LaneId]:
    """The trainings of a round, tickets first; the dense round 0 has tickets alone."""
    names = experiment.arms if round else ("ticket",)
    return [
        LaneId(round, replicate, arm, draw)
        for arm in sorted(names, key=lambda name: name != "ticket")
        for replicate in range(experiment.replicates)
        for draw in range(experiment.draws(arm))
    ]


def missing(experiment: Experiment, round: int, finished: Collection[LaneId]) -> list[LaneId]:
    """The trainings of a round that are still to be done."""
    return [lane for lane in lanes(experiment, round) if lane not in finished]


def check(experiment: Experiment) -> None:
    """ConfigError for an arm that there is not, or for several draws of one that is not drawn."""
    for name in (*experiment.arms, *experiment.arm):
        if name not in ARMS:
            raise ConfigError(f"arms: unknown arm {name}; {nearest(name, ARMS)}")
        if experiment.draws(name) > 1 and not ARMS[name].drawn:
            raise ConfigError(f"arm.{name}.draws={experiment.draws(name)}: must be 1, every draw is the same")
