"""A run folder with made-up results."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ltr.config.parse import parse
from ltr.config.schema import Experiment
from ltr.store.folder import RunFolder, round_name
from ltr.store.identity import folder_name
from ltr.store.tables import LaneId

DEVICES = {"platform": "cpu", "count": 2}
LANES = [LaneId(round_number, replicate, "ticket", 0) for round_number in (0, 1) for replicate in (0, 1)]


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return parse({"output_root": str(tmp_path / "runs"), "rounds": 1, "replicates": 2})


@pytest.fixture
def path(experiment: Experiment) -> Path:
    return Path(experiment.output_root) / folder_name(experiment)


def rows(lanes: Iterable[LaneId]) -> dict[str, pd.DataFrame]:
    """Made-up rows of finished lanes."""
    frame = pd.DataFrame(lanes, columns=list(LaneId._fields))
    losses = dict.fromkeys(["train_loss", "val_loss", "val_accuracy", "test_loss", "test_accuracy"], 0.5)
    found = {"early_stop_step": 20, "accuracy_at_early_stop": 0.9, "final_accuracy": 0.9, "censored": False}
    return {
        "metrics": pd.concat([frame.assign(density=1.0, step=step, **losses) for step in (0, 20)]),
        "results": frame.assign(density=1.0, steps=20, flops=1e6, early_bird_step=None, **found),
        "timings": frame.assign(seconds=2.0),
    }


def finish(folder: RunFolder, lanes: Iterable[LaneId] = LANES) -> None:
    """Save initial weights and a ticket of each lane, and commit."""
    drawn = {lane.replicate for lane in lanes} - folder.groups.members("initial")
    folder.groups.save("initial", {number: {"initial": np.ones(3, np.float32)} for number in drawn})
    for round_number in sorted({lane.round for lane in lanes}):
        members = [lane.replicate for lane in lanes if lane.round == round_number]
        folder.groups.save(
            round_name(round_number), {number: {"mask": np.ones(3, bool)} for number in members}
        )
        folder.commit(rows(lane for lane in lanes if lane.round == round_number))
