"""A made-up run, all that a page knows of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.analysis.mask_structure import TicketLayer, weights_by_layer
from ltr.config.parse import parse
from ltr.report.page import Subject


@pytest.fixture(scope="session")
def subject(results: Callable[..., pd.DataFrame], judged: Callable[..., Any]) -> Subject:
    """Four rounds of three replicates, on images of 8x8 pixels."""
    lanes = results(rounds=4)
    generator, steps = np.random.default_rng(0), range(0, 1001, 100)
    metrics = pd.DataFrame(
        {
            **{name: lane[name] for name in ("replicate", "arm", "draw", "round", "density")},
            "step": step,
            "val_loss": 0.5,
            "val_accuracy": 0.95 - 0.9 * np.exp(-step / 150) + generator.normal(0, 0.002),
        }
        for lane in lanes.to_dict("records")
        for step in steps
    )
    timings = lanes[["replicate", "arm", "draw", "round"]].assign(seconds=1.5)
    info = {
        "status": "finished",
        "sessions": [
            {"began": "2026-11-01T12:00:00+00:00", "versions": {"ltr": "0.1"}, "devices": {"platform": "cpu"}}
        ],
    }
    rows, last = [], []
    for replicate in range(3):
        initial = {name: generator.normal(size=shape) for name, shape in LAYERS.items()}
        for round_number in range(5):
            kept = {name: generator.random(shape) < 0.6**round_number for name, shape in LAYERS.items()}
            ticket = {name: TicketLayer(kept[name], initial[name]) for name in LAYERS}
            rows += weights_by_layer(ticket, round_number, replicate)
        last.append(ticket)
    experiment = parse({"rounds": 4, "claims": {"densities": []}})
    settings = {"rounds": 4, "claims.densities": []}
    return Subject(
        "digits-lenet_300_100-0123456789",
        "LeNet-300-100 on digits",
        info,
        experiment,
        settings,
        lanes,
        metrics,
        timings,
        *judged(lanes),
        pd.DataFrame(rows),
        last,
        (8, 8, 1),
    )


LAYERS = {"hidden_1": (64, 30), "hidden_2": (30, 10), "output": (10, 10)}
