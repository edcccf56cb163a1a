"""Fastest form of a network's convolutions (see `ltr.models.conv_forms`), measured once on each machine."""

import contextlib
import json
import platform
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import UInt8

from ltr.core import atomic
from ltr.engine.devices import Placement
from ltr.engine.speed import Steps
from ltr.methods.method import MethodContext
from ltr.models.conv_forms import GROUPED

REPEATS = 3
"""Timings of each form; their median counts."""

SECONDS = 0.1
"""Approximate duration of a timing."""


class Case(NamedTuple):
    """A network's convolutions, and everything else that decides which form is the fastest.

    Attributes:
        layers: shapes of the convolutions (see `ltr.engine.measurements.LayerShape`).
        batch_size: examples per step.
        lanes: lanes that a device maps over.
        device: kind of the device.
        machine: host name; machines may share a home folder.
        jax: version of JAX.
    """

    layers: tuple[str, ...]
    batch_size: int
    lanes: int
    device: str
    machine: str
    jax: str

    @classmethod
    def here(cls, layers: tuple[str, ...], batch_size: int, placement: Placement) -> "Case":
        """Return the case on a device of this machine."""
        kind = placement.devices[0].device_kind
        return cls(layers, batch_size, placement.lanes_per_device, kind, platform.node(), jax.__version__)


def fastest(
    case: Case, file: Path, measure: Callable[[], Mapping[str, float]], on_status: Callable[[str], None]
) -> str:
    """Return the form of the fewest seconds, or XLA's if none could be measured.

    It is measured, and written to `file`, if that lacks the case.

    Args:
        case: the convolutions.
        file: measurements of earlier calls.
        measure: returns the seconds of a step, by form.
        on_status: called with a message before a measurement, and with the empty string after it.
    """
    known = _read(file)
    if case not in known:
        on_status("measuring in which form convolutions of many lanes are fastest")
        known[case] = dict(measure())
        _write(file, known)
        on_status("")
    return min(known[case], key=known[case].__getitem__, default=GROUPED)


def seconds(
    contexts: Mapping[str, MethodContext],
    images: UInt8[np.ndarray, "batch height width channels"],
    placement: Placement,
) -> dict[str, float]:
    """Measure the seconds of a training step, by form; a form that fails, as for lack of memory, is left out.

    Forms are measured one after the other, as lanes may take most of the memory.

    Args:
        contexts: network and optimizer, by form.
        images: batch of images.
        placement: devices that are timed at once, and lanes on each.
    """
    found = {}
    for form, context in contexts.items():
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            found[form] = _seconds(Steps(context, images, placement))
    return found


def _seconds(steps: Steps) -> float:
    steps.compile()
    steps.seconds(1)  # allocates
    count = max(1, round(SECONDS / steps.seconds(1)))
    return statistics.median(steps.seconds(count) for _ in range(REPEATS))


def _read(file: Path) -> dict[Case, dict[str, float]]:
    """Read earlier measurements; an empty dict if the file is missing, damaged or of another format."""
    try:
        return {_case(entry["case"]): dict(entry["seconds"]) for entry in json.loads(file.read_text())}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _case(facts: Mapping[str, Any]) -> Case:
    return Case(**{**facts, "layers": tuple(facts["layers"])})


def _write(file: Path, known: Mapping[Case, Mapping[str, float]]) -> None:
    """Replace the file atomically. If it cannot be written, networks are measured again next time."""
    entries = [{"case": case._asdict(), "seconds": taken} for case, taken in known.items()]
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(file, json.dumps(entries, indent=1) + "\n")
