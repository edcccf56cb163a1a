"""Linear mode connectivity (Frankle et al., 2020): stability of training to the order of the data.

Two copies of a network are trained from the same weights in different data orders. The error along the line
between their final weights shows whether they lie in the same basin. A second kind of line joins the
trained tickets of a round and the next.

Interpolated running statistics of batch normalisation do not fit an interpolated network: its activations
vary less, and the statistics alone cause a barrier (Jordan et al., 2022, REPAIR). So they are re-estimated at
each point. The line with interpolated statistics is measured beside it.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import lax
from jaxtyping import Float32, Int32

from ltr.core import masks, rng
from ltr.core.types import Params, PRNGKey
from ltr.engine import devices
from ltr.engine.evaluation import evaluate
from ltr.engine.examples import Examples, prepare_inputs
from ltr.engine.running_batch import is_finite
from ltr.engine.trainer import InitialState, Progress
from ltr.experiment.session import Session
from ltr.models.model import Model, with_statistics
from ltr.store.folder import round_name
from ltr.store.tables import CONNECTIVITY, LaneId

ALPHAS = np.linspace(0, 1, 30, dtype=np.float32)
"""Positions on the line from the first to the second network at which the error is measured."""

COPIES = (0, 1)
"""Numbers of the copies of a ticket."""

Errors = Float32[jax.Array, "alphas"]
"""Test errors at `ALPHAS`, fractions."""

RE_ESTIMATED, INTERPOLATED, NONE = "re-estimated", "interpolated", "none"
"""Kinds of batch-normalisation statistics on a line; `NONE` for networks without batch normalisation."""

BATCHES = 40
"""Largest number of batches of training images that statistics are re-estimated from."""

BATCH = 128
"""Images per batch."""


def data_orders(
    session: Session, round_number: int, replicates: Sequence[int], on_chunk: Callable[[Progress], None]
) -> pd.DataFrame:
    """Measure the errors between two copies of each replicate's ticket, trained in different data orders.

    The copies start from the rewind step, also those of the dense network in round 0.

    Args:
        session: the run.
        round_number: round of the tickets.
        replicates: replicates that have a ticket in this round.
        on_chunk: see `ltr.engine.trainer.Trainer.train`.

    Returns:
        Rows of the connectivity table, of kind "orders".
    """
    starts = {
        LaneId(round_number, replicate, "copy", copy): _copy(session, round_number, replicate, copy)
        for replicate in replicates
        for copy in COPIES
    }
    ends = session.runtime.trainer.train(starts, np.array(session.spec.schedule.later, np.int32), on_chunk)
    pairs = {
        replicate: tuple(ends[LaneId(round_number, replicate, "copy", copy)].params for copy in COPIES)
        for replicate in replicates
    }
    return _rows("orders", session, round_number, pairs)


def next_round(session: Session, round_number: int, replicates: Sequence[int]) -> pd.DataFrame:
    """Measure the errors between the trained tickets of a round and the next; rows of kind "rounds".

    `replicates`: replicates that have both tickets.
    """
    pairs = {
        replicate: tuple(
            session.folder.groups.load(round_name(number), replicate)["trained"]
            for number in (round_number, round_number + 1)
        )
        for replicate in replicates
    }
    return _rows("rounds", session, round_number, pairs)


def steps(session: Session) -> int:
    """Return the number of steps that `data_orders` trains in a round, summed over copies."""
    first, last = session.spec.schedule.later
    return len(COPIES) * session.experiment.replicates * (last - first)


def statistics(model: Model) -> tuple[str, ...]:
    """Return the kinds of statistics for lines of a network; the last kind needs no data."""
    return (NONE,) if model.statistics is None else (RE_ESTIMATED, INTERPOLATED)


def errors_between(model: Model, kind: str) -> Callable[[tuple[Params, Params], Examples], Errors]:
    """Return the function to compile: (two networks, data) -> errors.

    `kind`: one of `statistics(model)`.
    """

    def errors(ends: tuple[Params, Params], data: Examples) -> Errors:
        def error(alpha: Float32[jax.Array, ""]) -> Float32[jax.Array, ""]:
            params = jax.tree.map(lambda first, second: (1 - alpha) * first + alpha * second, *ends)
            if kind == RE_ESTIMATED:
                params = re_estimated(model, params, data)
            return 1 - evaluate(model, params, data, data.test)[1]

        return lax.map(error, jnp.asarray(ALPHAS))

    return errors


def re_estimated(model: Model, params: Params, data: Examples) -> Params:
    """Return the parameters with statistics re-estimated on training data without augmentation.

    The statistics are averages of the means and variances of `BATCHES` batches. All networks see the same
    images.
    """
    assert model.statistics is not None
    batch_statistics, count = model.statistics, data.labels.shape[0]
    size = min(BATCH, count)
    batches = min(BATCHES, count // size)
    key = rng.fold(jax.random.key(0), "statistics")
    chosen = rng.permutation(key, count)[: batches * size].reshape(batches, size)

    def statistics(batch: tuple[Int32[jax.Array, "batch"], PRNGKey]) -> Params:
        indices, dropout = batch
        return batch_statistics(params, prepare_inputs(data.images, data, chosen=indices), dropout)

    means = lax.map(statistics, (chosen, jax.random.split(key, batches)))
    return with_statistics(params, jax.tree.map(lambda leaf: leaf.mean(0), means))


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


def _rows(
    kind: str, session: Session, round_number: int, pairs: Mapping[int, tuple[Params, ...]]
) -> pd.DataFrame:
    density = {
        replicate: masks.density(session.folder.groups.load(round_name(round_number), replicate)["mask"])
        for replicate in pairs
    }
    frames = [
        pd.DataFrame(
            {
                "kind": kind,
                "statistics": kind_of_statistics,
                "replicate": replicate,
                "round": round_number,
                "density": density[replicate],
                "rewind_step": session.spec.schedule.rewind_step,
                "alpha": ALPHAS,
                "error": errors,
            }
        )
        for kind_of_statistics in statistics(session.spec.model)
        for replicate, errors in zip(
            pairs, _errors(session, kind_of_statistics, [*pairs.values()]), strict=True
        )
    ]
    return pd.concat(frames, ignore_index=True)[CONNECTIVITY.names]


def _errors(
    session: Session, kind: str, pairs: Sequence[tuple[Params, ...]]
) -> list[Float32[np.ndarray, "alphas"]]:
    """Return the errors between the networks of each pair, in batches as large as the devices hold.

    They are NaN between networks of which one diverged.
    """
    placement = session.runtime.trainer.placement._replace(splits_batches=False)
    gathered = list[Float32[np.ndarray, "alphas"]]()
    compiled = devices.parallel(errors_between(session.spec.model, kind), placement)
    for first in range(0, len(pairs), placement.capacity):
        batch = pairs[first : first + placement.capacity]
        errors = compiled(devices.scatter(batch, placement), session.runtime.trainer.data)
        gathered += devices.gather(errors, len(batch), placement)
    return [
        errors if is_finite(pair) else np.full_like(errors, np.nan)
        for errors, pair in zip(gathered, pairs, strict=True)
    ]
