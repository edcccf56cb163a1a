"""What the controls of a round start from, beside its ticket."""

import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from ltr.core import masks, rng
from ltr.engine.trainer import InitialState
from ltr.experiment.session import Session
from ltr.store import tables
from ltr.store.folder import round_name
from ltr.store.opening import open_run
from ltr.store.tables import LaneId
from tests.experiment.runs import Ready, ask, assert_same, saved


@pytest.fixture(scope="module")
def starts(whole: Path, ready: Ready, tmp_path_factory: pytest.TempPathFactory) -> dict[str, InitialState]:
    """What each arm started replicate 0 of round 2 from."""
    root = tmp_path_factory.mktemp("starts")
    shutil.copytree(whole, root / whole.name)
    experiment = ask(root)
    with open_run(experiment) as folder:
        session = Session(ready(experiment), folder)
        ticket = session.find_ticket(2, 0)
        return {arm: session.initial_state(LaneId(2, 0, arm, 0), {0: ticket}) for arm in experiment.arms}


def test_random_reinit_has_the_mask_of_the_ticket_and_weights_of_its_own(
    starts: dict[str, InitialState], whole: Path, ready: Ready
) -> None:
    ticket = saved(whole, "round_02")
    key = rng.fold(rng.fold(rng.root(0, 0), "random_reinit", 2, 0), "weights")
    fresh = ready(ask(whole.parent)).init(key)
    assert_same(starts["random_reinit"].mask, ticket["mask"])
    assert_same(starts["random_reinit"].params, masks.apply(ticket["mask"], fresh))


def test_random_mask_keeps_the_counts_and_the_initial_weights(
    starts: dict[str, InitialState], whole: Path
) -> None:
    ticket, mask = saved(whole, "round_02"), starts["random_mask"].mask
    for mine, shuffled in zip(jax.tree.leaves(ticket["mask"]), jax.tree.leaves(mask), strict=True):
        assert mine.sum() == shuffled.sum()
        assert (mine != shuffled).any()
    assert_same(starts["random_mask"].params, masks.apply(mask, saved(whole, "initial")["initial"]))


def test_one_shot_keeps_the_largest_weights_of_the_dense_network(
    starts: dict[str, InitialState], whole: Path
) -> None:
    ticket, dense, mask = saved(whole, "round_02"), saved(whole, "round_00"), starts["one_shot"].mask
    weights = masks.tree_map(lambda m, w: None if m is None else w, mask, dense["trained"])
    for mine, kept, trained in zip(*map(jax.tree.leaves, (ticket["mask"], mask, weights)), strict=True):
        assert mine.sum() == kept.sum()
        assert np.abs(trained[~kept]).max() <= np.abs(trained[kept]).min()
    assert_same(starts["one_shot"].params, masks.apply(mask, saved(whole, "initial")["initial"]))


def test_lanes_of_a_replicate_see_the_data_in_the_same_order(starts: dict[str, InitialState]) -> None:
    assert len({start.key.tobytes() for start in starts.values()}) == 1


def test_the_tables_hold_every_lane_with_its_density(whole: Path) -> None:
    results = tables.read(whole, "results")
    assert len(results) == 18
    for row in results.itertuples():
        mask = saved(whole, round_name(row.round), row.replicate)["mask"]
        assert row.density == masks.density(mask)
