"""Experiment tracking: learning curves and rounds in TensorBoard, MLflow or Weights & Biases.

A tracker is a class with three methods in a file of its own. If a tracker fails, ltr logs one warning and
continues without it: a tracker never stops a run.

Trackers get means over replicates and draws. A run with more replicates or draws has other means, so it gets
a name of its own. Further rounds and arms are added to the existing run.
"""

import contextlib
import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ltr.core import atomic
from ltr.core.extras import install_command
from ltr.errors import ConfigError, StoppedError
from ltr.store import sealed_text
from ltr.trackers.registry import TRACKERS
from ltr.trackers.tracker import End, Scalar, Subject, Tracker

log = logging.getLogger(__name__)

FILE = "trackers.json"
"""File in a run folder, with the rounds and arms that were sent to each tracker."""


class SentRecord:
    """Record of the rounds and arms that were sent, in a file; a resumed run sends none of them twice.

    Args:
        file: path of the record.
        key: name of the tracker and of its run.
        is_new: whether to drop earlier entries of this key.
    """

    def __init__(self, file: Path, key: str, is_new: bool) -> None:
        self._file, self._key = file, key
        self._all = _sent(file)
        if is_new:
            self._all[key] = []

    def unsent(self, round_number: int, scalars: list[Scalar]) -> list[Scalar]:
        """Select the scalars of a round whose arm was not sent for this round."""
        before = self._all.get(self._key, [])
        return [scalar for scalar in scalars if [round_number, scalar.arm] not in before]

    def add(self, round_number: int, scalars: list[Scalar]) -> None:
        """Record that scalars of a round were sent."""
        arms = dict.fromkeys(scalar.arm for scalar in scalars)
        self._all.setdefault(self._key, []).extend([round_number, arm] for arm in arms)
        atomic.write_bytes(self._file, sealed_text.to_json(self._all))


def _sent(file: Path) -> dict[str, list[list[Any]]]:
    """Return the content of a record; empty if there is none. ValueError names a damaged file."""
    if not file.exists():
        return {}
    try:
        return dict(sealed_text.from_json(file.read_bytes()))
    except (ValueError, TypeError):
        raise ValueError(f"{file}: damaged; remove it, and rounds that were sent may be sent again") from None


class Tracked:
    """Wrapper of a tracker, or of none, that never raises."""

    def __init__(self, tracker: Tracker | None, sent: SentRecord | None = None) -> None:
        self._tracker, self._sent = tracker, sent

    def add(self, round_number: int, scalars: list[Scalar]) -> None:
        """Send the scalars of a round that were not sent yet."""
        with self._warned():
            if self._tracker and self._sent and (new := self._sent.unsent(round_number, scalars)):
                self._tracker.add(new)
                self._sent.add(round_number, new)

    def close(self, end: End) -> None:
        """Finish the run."""
        with self._warned():
            if self._tracker:
                self._tracker.close(end)

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """Drop a tracker that fails, with a warning, and try to close it."""
        try:
            yield
        except Exception as error:
            message = " ".join(str(error).split()) or repr(error)
            log.warning("tracker: %s; the run continues without it", message)
            failed, self._tracker = self._tracker, None
            if failed is not None:
                with contextlib.suppress(Exception):
                    failed.close("failed")


def require(name: str) -> None:
    """Raise ConfigError if the package of a tracker cannot be imported."""
    tracker = TRACKERS[name]
    try:
        if tracker.package:
            importlib.import_module(tracker.package)
    except Exception as error:
        command = f"pip install {tracker.package}" if tracker.distribution else install_command(name)
        raise ConfigError(
            f"tracker={name}: {tracker.package} cannot be imported ({error}); type: {command}"
        ) from None


def idle(name: str) -> str:
    """Return the message for a run that trains nothing, so nothing is tracked."""
    return (
        f"tracker={name}: nothing is sent, as nothing is left to train; more rounds or replicates are sent "
        "when they are trained; ltr report makes a page"
    )


@contextlib.contextmanager
def track(name: str, subject: Subject) -> Iterator[Tracked]:
    """Track a run; `name` is a key of `TRACKERS`."""
    tracked = _begun(name, subject)
    end: End = "failed"
    try:
        yield tracked
        end = "finished"
    except (StoppedError, KeyboardInterrupt, SystemExit):
        end = "stopped"
        raise
    finally:
        tracked.close(end)


def _begun(name: str, subject: Subject) -> Tracked:
    if not TRACKERS[name].code:
        return Tracked(None)
    try:
        tracker = TRACKERS[name].load()(subject)
        return Tracked(tracker, SentRecord(subject.folder / FILE, f"{name} {subject.name}", tracker.is_new))
    except Exception as error:
        log.warning("tracker=%s: %s; the run continues without it", name, " ".join(str(error).split()))
        return Tracked(None)
