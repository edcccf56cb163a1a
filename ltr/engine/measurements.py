"""Measured break-even densities: their layer, machine, date and reliability, kept in a JSON file."""

import contextlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from ltr import kernels
from ltr.core import atomic
from ltr.engine.devices import Placement

EDITION = 5
"""Version of the kernels and of packed training; raised when they get faster, to measure everything again."""


class LayerShape(NamedTuple):
    """Properties of a layer that decide its speed.

    Attributes:
        kernel: [in, out]; for a convolution [size, size, in, out].
        num_positions: positions of an image at which the kernel is used; for a convolution the pixels of its
            result, which is taken to be square.
        is_first: whether it is the first layer, which needs no gradient of its inputs.
        reads_pixels: whether it reads images as `ltr.kernels.Pixels` when it is packed.
        tile: tile of Winograd's filtering when it is a dense convolution; 0 if XLA computes it.
        zeros: share of zeros among the pixels that it reads.
        is_fused: whether its kernel is updated in one pass with its gradient when it is dense.
    """

    kernel: tuple[int, ...]
    num_positions: int = 1
    is_first: bool = False
    reads_pixels: bool = False
    tile: int = 0
    zeros: float = 0.0
    is_fused: bool = False

    @property
    def has_tokens(self) -> bool:
        """Whether it is a dense layer that reads tokens."""
        return len(self.kernel) == 2 and self.num_positions > 1

    def __str__(self) -> str:
        first = "of pixels, " if self.reads_pixels else "first, " if self.is_first else ""
        tile = f", tiles of {self.tile}" if self.tile else ""
        return f"{first}{' x '.join(map(str, self.kernel))} at {self.num_positions}{tile}"


class Case(NamedTuple):
    """A layer, and everything else that decides how fast it trains.

    Attributes:
        layer: the layer.
        batch_size: examples per step.
        optimizer: name of the optimizer.
        cores: processor cores that train at once.
        machine: host name and vector instructions; machines may share a home folder.
        jax: version of JAX.
        edition: `EDITION` at the time.
    """

    layer: LayerShape
    batch_size: int
    optimizer: str
    cores: int
    machine: str
    jax: str
    edition: int

    @classmethod
    def here(cls, layer: LayerShape, batch_size: int, optimizer: str, placement: Placement) -> "Case":
        """Return the case of a layer on this machine."""
        machine = f"{platform.node()} ({kernels.instruction_set()})"
        cores = len(placement.devices)
        return cls(layer, batch_size, optimizer, cores, machine, jax.__version__, EDITION)

    @property
    def is_here(self) -> bool:
        """Whether it describes this machine with its versions of JAX and of the kernels."""
        machine, version, edition = self[-3:]
        here = f"{platform.node()} ({kernels.instruction_set()})", jax.__version__, EDITION
        return (machine, version, edition) == here


class Measurement(NamedTuple):
    """A measured break-even density.

    Attributes:
        density: density up to which the layer trains faster packed, 0 to 1.
        date: time of the measurement, ISO 8601, UTC.
        spread: (third shortest - shortest) / shortest time of a step, the largest over all timed steps.
        load: load average of the minute before; None if unknown.
        seconds: duration of the measurement.
        doubt: why it should be repeated; empty if it is reliable.
    """

    density: float
    date: str
    spread: float
    load: float | None
    seconds: float
    doubt: str = ""


def read(file: Path) -> dict[Case, Measurement]:
    """Read earlier measurements; an empty dict if the file is missing, damaged or of another format."""
    try:
        return {_case(entry["case"]): Measurement(**entry["measurement"]) for entry in _entries(file)}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def write(file: Path, known: Mapping[Case, Measurement]) -> None:
    """Replace the file atomically. If it cannot be written, layers are measured again next time."""
    entries = [
        {"case": {**case._asdict(), "layer": case.layer._asdict()}, "measurement": measurement._asdict()}
        for case, measurement in known.items()
    ]
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(file, json.dumps(entries, indent=1) + "\n")


def _entries(file: Path) -> list[dict[str, Any]]:
    return list(json.loads(file.read_text()))


def _case(entry: Mapping[str, Any]) -> Case:
    layer = LayerShape(**{**entry["layer"], "kernel": tuple(entry["layer"]["kernel"])})
    return Case(**{**entry, "layer": layer})
