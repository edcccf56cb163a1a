"""What the observer of a run makes of its stages."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ltr.config.parse import parse
from ltr.errors import StoppedError
from ltr.experiment.observer import RunObserver, _often_trained_first
from ltr.experiment.signals import Stop, request_stop
from ltr.report.progress import NoDisplay, Pace

UNUSED: Any = None


def test_what_is_left_is_asked_again_at_every_stage() -> None:
    """It falls when the layers that train packed are chosen."""
    left = iter([100.0, 40.0])
    pace = Pace(0.0, lambda: 0.0)
    observer = RunObserver(Stop(), UNUSED, pace, NoDisplay(), UNUSED, lambda: next(left))
    observer.on_stage("round 0", 2, 1.0)
    assert pace.total == 100
    pace.advance(30)
    observer.on_stage("round 1", 2, 0.5)
    assert pace.total == 30 + 40
    observer.on_resume(20)
    assert pace.total == 30 + 40 - 0.5 * 20


def test_arms_that_train_in_few_rounds_stand_last_in_the_table() -> None:
    arm = {"imp_coarse": {"mask": "iterated", "prune_every": 3}, "snip": {"mask": "snip"}}
    asked = parse({"arms": ["snip", "ticket", "imp_coarse"], "arm": arm, "rounds": 6, "control_rounds": [6]})
    assert _often_trained_first(asked) == ["ticket", "imp_coarse", "snip"]
    assert _often_trained_first(replace(asked, control_rounds=())) == ["ticket", "snip", "imp_coarse"]


def test_no_stage_begins_after_a_signal(tmp_path: Path) -> None:
    stop = Stop(tmp_path / "stop")
    observer = RunObserver(stop, UNUSED, Pace(0.0, lambda: 0.0), NoDisplay(), UNUSED, lambda: 100.0)
    observer.on_stage("round 0", 2, 1.0)
    request_stop(tmp_path / "stop", signal.SIGTERM)
    with pytest.raises(StoppedError, match="stopped by SIGTERM"):
        observer.on_stage("round 1", 2, 1.0)
