"""What is compiled, and what the loop makes of the knobs."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from ltr.core import masks, rng
from ltr.experiment import loop, runtime
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.methods import weights
from ltr.pruning import criteria, selection
from ltr.pruning.criteria import PruningInput
from ltr.store import tables
from ltr.store.folder import round_name
from ltr.store.opening import open_run
from ltr.store.tables import LaneId
from tests.experiment.runs import Ready, Run, Watcher, ask, assert_same, kernels, saved


def test_one_program_serves_every_round(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    traced = []
    apply_update = weights.apply_update

    def counted(*arguments: Any, **named: Any) -> Any:
        traced.append(1)
        return apply_update(*arguments, **named)

    monkeypatch.setattr(weights, "apply_update", counted)
    experiment = ask(tmp_path, rewind_step=7, replicates=3, rounds=2, steps=30)
    made = runtime.build(RunSpec.from_experiment(experiment))
    traced.clear()  # the step is traced once more to count its operations
    with open_run(experiment) as folder:
        loop.run(Session(made, folder), Watcher())
    assert len(traced) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet_300_100", "conv2"])
def test_a_network_is_pruned_globally(name: str, run: Run, tmp_path: Path) -> None:
    path = run(
        tmp_path,
        model={"name": name, "width": 0.25},
        pruning={"scope": "global", "rates": {"output": 1.0}},
        replicates=1,
        arms=["ticket", "one_shot"],
        steps=4,
        eval_every=4,
    )
    kept = [masks.count(saved(path, round_name(round_number))["mask"]) for round_number in (0, 1, 2)]
    assert kept[1] == kept[0] - int(Fraction("0.2") * kept[0])
    assert kept[2] == kept[1] - int(Fraction("0.2") * kept[1])
    assert len(tables.read(path, "results")) == 5
    shares = [layer.mean() for layer in jax.tree.leaves(saved(path, "round_02")["mask"])]
    assert max(shares) - min(shares) > 0.1


def test_a_criterion_is_drawn_by_seed_replicate_and_round_and_once_for_one_shot(
    run: Run, ready: Ready, tmp_path: Path
) -> None:
    knobs = {"pruning": {"criterion": "random"}, "arms": ["ticket", "one_shot"], "steps": 4, "eval_every": 4}
    path = run(tmp_path, **knobs)
    made = ready(ask(tmp_path, **knobs))
    for replicate, round_number in itertools.product((0, 1), (1, 2)):
        before, now = (
            saved(path, round_name(n), replicate)["mask"] for n in (round_number - 1, round_number)
        )
        key = rng.fold(rng.root(0, replicate), "criterion", round_number)
        scores = criteria.random(PruningInput(before, before, before, key))
        draw = rng.fold(key, "ties")
        assert_same(now, selection.layerwise(scores, before, made.spec.targets[round_number], draw))
    with open_run(ask(tmp_path, **knobs)) as folder:
        session = Session(made, folder)
        for round_number, equal in ((1, True), (2, False)):
            ticket = session.find_ticket(round_number, 0)
            one_shot = session.initial_state(LaneId(round_number, 0, "one_shot", 0), {0: ticket})
            pairs = zip(*map(jax.tree.leaves, (ticket.mask, one_shot.mask)), strict=True)
            assert all(np.array_equal(one, other) for one, other in pairs) is equal


@pytest.mark.slow
def test_one_shot_to_a_density(run: Run, tmp_path: Path) -> None:
    pruning = {"scope": "erk", "densities": [0.05], "rates": {"output": 1.0}}
    path = run(tmp_path, pruning=pruning, arms=["ticket"], steps=4, eval_every=4)
    counts = [layer.sum() for layer in kernels(saved(path, "round_01")["mask"]).values()]
    assert counts == [71, 30, 15]  # 5 % of 2,320 by 64 + 30, 30 + 10 and 10 + 10
    assert set(tables.read(path, "results")["round"]) == {0, 1}


@pytest.mark.slow
def test_asking_the_test_set_where_it_matters_changes_no_result(run: Run, tmp_path: Path) -> None:
    restless = {
        "optimizer": {"learning_rate": 0.05},
        "steps": 60,
        "eval_every": 3,
        "replicates": 1,
        "rounds": 1,
    }
    some, always = (run(tmp_path, **restless, test_curves=curves) for curves in (False, True))
    pd.testing.assert_frame_equal(tables.read(some, "results"), tables.read(always, "results"))
    asked, every = (tables.read(path, "metrics") for path in (some, always))
    assert 0 < asked["test_loss"].isna().sum() < len(asked)
    assert every["test_loss"].notna().all()
    pd.testing.assert_frame_equal(asked[asked["test_loss"].notna()], every[asked["test_loss"].notna()])
