"""Whole runs of each search on digits: what it finds, where it stops, and whether its mask is any good."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ltr.core import masks
from ltr.errors import StoppedError
from ltr.methods.registry import METHODS
from ltr.store import tables
from ltr.store.folder import RunFolder, search_name
from ltr.store.tables import LaneId
from tests.experiment.runs import Run, Watcher, contents

SEARCHES = ["gem_miner", "concrete", "concrete_kl", "bernoulli_gates", "gradual", "gradual_linear"]


def arms(name: str, *controls: str) -> dict[str, Any]:
    """A search, the ticket of its mask, and controls."""
    of_all: dict[str, dict[str, Any]] = {
        "ticket": {},
        "shuffled": {"shuffle": "layerwise"},
        "inverted": {"invert": True},
    }
    search: dict[str, Any] = {"method": name, "weights": "rewound", "pruned": "kept"}
    found = {control: {"mask": "found", "found_by": name} | of_all[control] for control in controls}
    return {name: search} | {f"{name}_{control}": arm for control, arm in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["layerwise", "global"])
@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_that_is_stopped_goes_on_as_if_it_had_not_been(
    name: str, scope: str, run: Run, tmp_path: Path
) -> None:
    """It starts after 10 steps of training, and is stopped in its second chunk."""
    of_search = arms(name, "ticket")
    knobs: dict[str, Any] = {
        "arms": ["ticket", *of_search],
        "arm": of_search,
        "rounds": 1,
        "rewind_step": 10,
        "eval_every": 5,
        "pruning": {
            "scope": scope,
            "rates": {"output": 1.0},
            "densities": [0.3] if scope == "global" else [],
        },
    }
    whole = run(tmp_path / "whole", **knobs)
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(4), **knobs)
    path = run(tmp_path, **knobs)
    assert contents(path) == contents(whole)
    folder, lane = RunFolder(path), LaneId(1, 0, name, 0)
    found = folder.searches.load(search_name(lane), 0)
    ticket = folder.groups.load("round_01", 0)["mask"]
    assert masks.count(found["mask"]) == masks.count(ticket)


def accuracies(path: Path) -> pd.Series:
    """Mean accuracy at the end of round 1, by arm."""
    results = tables.read(path, "results")
    return results[results["round"] == 1].groupby("arm")["final_accuracy"].mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_a_mask_found_on_digits_beats_its_controls(name: str, run: Run, tmp_path: Path) -> None:
    """Of 50,190 weights 0.6 % are kept; the controls have as many."""
    has_scores = METHODS[name].has_scores
    of_search = arms(name, "ticket", "shuffled", *(["inverted"] if has_scores else []))
    path = run(
        tmp_path,
        arms=["ticket", *of_search],
        arm=of_search,
        rounds=1,
        steps=1500,
        eval_every=1500,
        replicates=2,
        model={"width": 1.0},
        pruning={"scope": "global", "rates": {"output": 1.0}, "densities": [0.006]},
    )
    found = accuracies(path)
    controls = [arm for arm in of_search if arm.endswith(("_shuffled", "_inverted"))]
    for control in controls:
        assert found[f"{name}_ticket"] > found[control] + 0.02, dict(found)
