"""Break-even densities as they were measured on a machine: of which layer, when, and how sure they are."""

import contextlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax

from ltr import kernels
from ltr.core import atomic
from ltr.engine.devices import Placement

EDITION = 2
"""Of how packed lanes train: when that gets faster it is raised, and everything is measured again."""


class LayerShape(NamedTuple):
    """A layer as far as its speed depends on it.

    Attributes:
        kernel: [in, out], or of a convolution [size, size, in, out].
        num_positions: how many positions of an image it is used at; of a convolution, pixels of its result,
            which is taken for a square.
        is_first: whether nobody asks for the gradient of its inputs.
        reads_pixels: whether, packed, it takes images as `ltr.kernels.Pixels`.
    """

    kernel: tuple[int, ...]
    num_positions: int = 1
    is_first: bool = False
    reads_pixels: bool = False

    @property
    def has_tokens(self) -> bool:
        """Whether it is a dense layer of tokens."""
        return len(self.kernel) == 2 and self.num_positions > 1

    def __str__(self) -> str:
        first = "of pixels, " if self.reads_pixels else "first, " if self.is_first else ""
        return f"{first}{' x '.join(map(str, self.kernel))} at {self.num_positions}"


class Case(NamedTuple):
    """A layer, and all else that decides how fast it trains.

    Attributes:
        layer: the layer.
        batch_size: examples a step.
        optimizer: its name.
        cores: processor cores that train at once.
        machine: the host and the vectors of its kernels: machines may share a home folder.
        jax: version.
        edition: `EDITION`.
    """

    layer: LayerShape
    batch_size: int
    optimizer: str
    cores: int
    machine: str
    jax: str
    edition: int

    @classmethod
    def here(cls, layer: LayerShape, batch_size: int, optimizer: str, placement: Placement) -> Self:
        """The case of a layer on this machine."""
        machine = f"{platform.node()} ({kernels.instruction_set()})"
        cores = len(placement.devices)
        return cls(layer, batch_size, optimizer, cores, machine, jax.__version__, EDITION)

    @property
    def is_here(self) -> bool:
        """Whether this machine, with this version of JAX and of ltr, would measure the same."""
        machine, version, edition = self[-3:]
        here = f"{platform.node()} ({kernels.instruction_set()})", jax.__version__, EDITION
        return (machine, version, edition) == here


class Measurement(NamedTuple):
    """A break-even density as it was measured.

    Attributes:
        density: 0 to 1, up to which the layer trains faster packed.
        date: when, ISO 8601, UTC.
        spread: how much longer the median time was than the shortest, as a fraction of it; of the dense and
            packed steps that were timed, the largest.
        load: processes that ran or waited to (the average of a minute) when it began; None if unknown.
        seconds: how long it took.
        doubt: why it is to be measured again; empty if it is sure.
    """

    density: float
    date: str
    spread: float
    load: float | None
    seconds: float
    doubt: str = ""


def read(file: Path) -> dict[Case, Measurement]:
    """What was measured before; nothing where the file is not there, damaged, or of another format."""
    try:
        return {_case(entry["case"]): Measurement(**entry["measurement"]) for entry in _entries(file)}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def write(file: Path, known: Mapping[Case, Measurement]) -> None:
    """Replace the file, whole or not at all; where nothing can be written it is measured again next time."""
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
