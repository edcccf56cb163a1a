"""What is said of where the variance comes from."""

import sys
from typing import Any

import pandas as pd
import pytest

from ltr.analysis.mixed_model import Share
from ltr.analysis.statistics import Estimate
from ltr.analysis.variance import Variance
from ltr.config.schema import Arm, Experiment
from ltr.report import variance as report
from ltr.report.figures import in_style
from ltr.report.page import drawings

SHARES = (
    Share(("weights",), 0.25, 0.0, 0.6),
    Share(("order",), 0.05, 0.0, 0.2),
    Share(("mask",), 0.0, 0.0, 0.9),
    Share(("weights", "mask"), 0.5, 0.1, 0.75),
    Share(("order", "mask"), 0.0, 0.0, 0.1),
    Share((), 0.2, 0.05, 0.4),
)
ACCURACY = Variance(
    "accuracy",
    10,
    0.112,
    {"weights": 4, "order": 4, "mask": 2},
    31,
    1,
    0.97,
    0.004,
    Estimate(0.01, 0.005, 8),
    SHARES,
)
STEP = ACCURACY._replace(
    measure="early_stop_step", deviation=92.4, own_gain=Estimate(-272, float("nan"), 8), mean=300.0
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Variance]:
    both = [ACCURACY, STEP]
    monkeypatch.setattr(report, "variances", lambda results, experiment: both)
    return both


@pytest.mark.usefixtures("found")
def test_a_table_and_a_sentence() -> None:
    text = report.text(pd.DataFrame(), Experiment())
    assert max(map(len, text.splitlines())) <= 80
    assert text == (
        "Variance of 31 trainings at 11 % of the weights (4 initial weights x 4 data\n"
        "orders x 2 masks; 1 without a result; share in % with 95 % interval)\n"
        "component                     accuracy              early-stop step\n"
        "initial weights               25 (0 to 60)          25 (0 to 60)\n"
        "data order                    5 (0 to 20)           5 (0 to 20)\n"
        "mask                          0 (0 to 90)           0 (0 to 90)\n"
        "initial weights x mask        50 (10 to 75)         50 (10 to 75)\n"
        "data order x mask             0 (0 to 10)           0 (0 to 10)\n"
        "what is left                  20 (5 to 40)          20 (5 to 40)\n"
        "standard deviation            0.40 pp               92 steps\n"
        "gain of a mask's own weights  1.00 ± 0.50 pp        -272 steps\n"
        "\n"
        "Of the variance of accuracy, 25 % (0 to 60) is of the initial weights alone, 5 %\n"
        "(0 to 20) is of the data order alone, 0 % (0 to 90) is of the mask alone and 50\n"
        "% (10 to 75) of initial weights x mask, the largest interaction. On the initial\n"
        "weights that it was found with a mask gains 1.00 ± 0.50 pp."
    )


@pytest.mark.usefixtures("found")
def test_plain_data() -> None:
    (accuracy, step) = report.plain(pd.DataFrame(), Experiment()) or []
    assert accuracy | {"shares": []} == {
        "measure": "accuracy",
        "round": 10,
        "density": 0.112,
        "levels": {"weights": 4, "order": 4, "mask": 2},
        "cells": 31,
        "lost": 1,
        "mean": 0.97,
        "deviation": 0.004,
        "own_gain": 0.01,
        "own_gain_ci95": 0.005,
        "shares": [],
    }
    assert step["own_gain_ci95"] is None
    assert accuracy["shares"][3] == {
        "component": "initial weights x mask",
        "factors": ["weights", "mask"],
        "share": 0.5,
        "low": 0.1,
        "high": 0.75,
    }


def test_the_figure_has_a_marker_and_a_tooltip_for_each_share() -> None:
    with in_style():
        drawing = drawings.variance([ACCURACY, STEP])
    (axes,) = drawing.figure.axes
    for line, measure in zip(axes.lines, ("accuracy", "early_stop_step"), strict=True):
        assert line.get_gid() == f"{measure}:shares"
        assert list(line.get_xdata()) == pytest.approx([25, 5, 0, 50, 0, 20])
        assert len(drawing.tooltips[f"{measure}:shares"]) == 6
    assert "accuracy, initial weights x mask: 50 % (10 to 75)" in drawing.alt
    assert axes.get_yticklabels()[0].get_text() == "initial weights"


def test_runs_that_cross_nothing_say_nothing() -> None:
    results = pd.DataFrame({"arm": ["ticket"], "round": [1], "replicate": [0], "draw": [0], "density": [1.0]})
    results = results.assign(accuracy_at_early_stop=0.9, early_stop_step=100)
    assert report.text(results, Experiment()) == ""
    assert report.plain(results, Experiment()) == []


def test_without_statsmodels_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lane: dict[str, Any] = {"arm": "crossed", "round": 1, "density": 1.0, "draw": 0}
    results = pd.DataFrame([lane | {"replicate": replicate} for replicate in range(2)])
    results = results.assign(accuracy_at_early_stop=0.9, early_stop_step=100)
    asked = Experiment(
        arms=("ticket", "crossed"), arm={"ticket": Arm(), "crossed": Arm(mask_replicate=0, order="draw")}
    )
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    assert report.text(results, asked).startswith("shares of variance: need the extra variance; type: ")
    assert report.plain(results, asked) is None
