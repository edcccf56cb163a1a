"""What the observer of a run makes of its stages."""

from typing import Any

from ltr.experiment.observer import RunObserver
from ltr.report.progress import NoDisplay, Pace


def test_what_is_left_is_asked_again_at_every_stage() -> None:
    """It falls when the layers that train packed are chosen."""
    unused: Any = None
    left = iter([100.0, 40.0])
    pace = Pace(0.0, lambda: 0.0)
    observer = RunObserver(unused, unused, pace, NoDisplay(), unused, lambda: next(left))
    observer.on_stage("round 0", 2, 1.0)
    assert pace.total == 100
    pace.advance(30)
    observer.on_stage("round 1", 2, 0.5)
    assert pace.total == 30 + 40
    observer.on_resume(20)
    assert pace.total == 30 + 40 - 0.5 * 20
