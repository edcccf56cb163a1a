"""Instability: whether what a network ends at depends on the order in which it sees the data.

Linear mode connectivity of Frankle et al. (2020): two copies of a network are trained from the same
weights in different data orders; the error along the line between what they end at says whether
they lie in one basin. Another line leads from the ticket of a round to that of the next.

Running statistics of batch normalisation do not fit the activations of a network between two others: its
activations vary less, and averaged statistics alone make a barrier (Jordan et al., 2022, REPAIR). So they are
re-estimated at each point; the naive line, of statistics interpolated as weights are, is measured beside it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import lax

from ltr.core import masks, rng
from ltr.engine import devices, program
from ltr.engine.program import Examples
from ltr.engine.trainer import InitialState, Progress
from ltr.experiment.session import Session
from ltr.models.model import Model, with_statistics
from ltr.store.folder import round_name
from ltr.store.tables import CONNECTIVITY, LaneId

ALPHAS = np.linspace(0, 1, 30, dtype=np.float32)
"""Where on the line from the first to the second network the error is measured, both ends included."""

COPIES = (0, 1)

RE_ESTIMATED, INTERPOLATED, NONE = "re-estimated", "interpolated", "none"
"""What the statistics of the networks on a line are; none, of networks without batch normalisation."""

BATCHES = 40
"""Batches of training images that statistics are re-estimated from, as far as there are so many."""

BATCH = 128


def data_orders(session: Session, round_number: int, on_chunk: Callable[[Progress], None]) -> pd.DataFrame:
    """The errors between two copies of each replicate's ticket, trained in different data orders.

    The copies start from the rewind step: that of the dense network in round 0, too.

    Returns:
        Rows of the connectivity table, of kind "orders".
    """
    replicates = range(session.experiment.replicates)
    starts = {
        LaneId(round_number, replicate, "copy", copy): _copy(session, round_number, replicate, copy)
        for replicate in replicates
        for copy in COPIES
    }
    ends = session.runtime.trainer.train(starts, np.array(session.spec.schedule.later, np.int32), on_chunk)
    pairs = [
        tuple(ends[LaneId(round_number, replicate, "copy", copy)].params for copy in COPIES)
        for replicate in replicates
    ]
    return _rows("orders", session, round_number, pairs)


def next_round(session: Session, round_number: int) -> pd.DataFrame:
    """The errors between the trained tickets of a round and of the next: rows of kind "rounds"."""
    pairs = [
        tuple(
            session.folder.groups.load(round_name(number), replicate)["trained"]
            for number in (round_number, round_number + 1)
        )
        for replicate in range(session.experiment.replicates)
    ]
    return _rows("rounds", session, round_number, pairs)


def steps(session: Session) -> int:
    """Steps that `data_orders` trains in a round, of all copies together."""
    first, last = session.spec.schedule.later
    return len(COPIES) * session.experiment.replicates * (last - first)


def statistics(model: Model) -> tuple[str, ...]:
    """Return the kinds of statistics that lines of a network are measured with; the last needs no data."""
    return (NONE,) if model.statistics is None else (RE_ESTIMATED, INTERPOLATED)


def errors_between(model: Model, kind: str) -> Callable[[Any, Examples], jax.Array]:
    """The function to compile: two networks, data -> test errors at `ALPHAS`, fractions.

    `kind`: of `statistics(model)`.
    """

    def errors(ends: Any, data: Examples) -> jax.Array:
        def error(alpha: jax.Array) -> jax.Array:
            params = jax.tree.map(lambda one, other: (1 - alpha) * one + alpha * other, *ends)
            if kind == RE_ESTIMATED:
                params = re_estimated(model, params, data)
            return 1 - program.evaluate(model, params, data.test, data)[1]

        return lax.map(error, jnp.asarray(ALPHAS))

    return errors


def re_estimated(model: Model, params: Any, data: Examples) -> Any:
    """Return the parameters with the statistics that a network has on training data, which is not augmented.

    They are the means of the means and variances of `BATCHES` batches, the same images for every network.
    """
    assert model.statistics is not None
    of_batch, count = model.statistics, data.labels.shape[0]
    size = min(BATCH, count)
    batches = min(BATCHES, count // size)
    key = rng.fold(jax.random.key(0), "statistics")
    chosen = rng.permutation(key, count)[: batches * size].reshape(batches, size)

    def statistics(batch: tuple[jax.Array, jax.Array]) -> Any:
        of, dropout = batch
        return of_batch(params, program.prepare_inputs(data.images, data, model, params, of), dropout)

    found = lax.map(statistics, (chosen, jax.random.split(key, batches)))
    return with_statistics(params, jax.tree.map(lambda leaf: leaf.mean(0), found))


def _copy(session: Session, round_number: int, replicate: int, copy: int) -> InitialState:
    mask = session.folder.groups.load(round_name(round_number), replicate)["mask"]
    rewind_params = session.folder.groups.load("initial", replicate)["origin"]
    start = (
        session.folder.groups.load(round_name(round_number), replicate)["start"]
        if round_number
        else rewind_params
    )
    key = rng.fold(rng.root(session.experiment.seed, replicate), "copy", round_number, copy)
    return InitialState(masks.apply(mask, start), mask, np.asarray(jax.random.key_data(key)))


def _rows(kind: str, session: Session, round_number: int, pairs: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    density = {
        replicate: masks.density(session.folder.groups.load(round_name(round_number), replicate)["mask"])
        for replicate in range(len(pairs))
    }
    frames = [
        pd.DataFrame(
            {
                "kind": kind,
                "statistics": of,
                "replicate": replicate,
                "round": round_number,
                "density": density[replicate],
                "rewind_step": session.spec.schedule.rewind_step,
                "alpha": ALPHAS,
                "error": errors,
            }
        )
        for of in statistics(session.spec.model)
        for replicate, errors in enumerate(_errors(session, of, pairs))
    ]
    return pd.concat(frames, ignore_index=True)[CONNECTIVITY.names]


def _errors(session: Session, kind: str, pairs: Sequence[tuple[Any, ...]]) -> list[np.ndarray]:
    """The errors between the networks of each pair, as many pairs at a time as the devices hold."""
    placement, found = session.runtime.trainer.placement, []
    compiled = devices.parallel(errors_between(session.spec.model, kind), placement)
    for first in range(0, len(pairs), placement.capacity):
        some = pairs[first : first + placement.capacity]
        errors = compiled(devices.scatter(some, placement), session.runtime.trainer.data)
        found += devices.gather(errors, len(some), placement)
    return found
