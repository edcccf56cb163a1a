"""TensorBoard: event files below `<output_root>/tensorboard/<run>`, a folder an arm: curves overlay."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from ltr.trackers import Scalar


class TensorBoard:
    """Look with: tensorboard --logdir outputs/tensorboard"""

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any]) -> None:
        self._folder = folder / "tensorboard" / run
        self._writers: dict[str, SummaryWriter] = {}
        knobs = "\n".join(f"- {name}: {value}" for name, value in config.items())
        self._writer("ticket").add_text("knobs", knobs)

    def add(self, scalars: list[Scalar]) -> None:
        """Write them, and have them seen at once."""
        for scalar in scalars:
            self._writer(scalar.arm).add_scalar(scalar.name, scalar.value, scalar.step)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, arm: str) -> SummaryWriter:
        if arm not in self._writers:
            self._writers[arm] = SummaryWriter(str(self._folder / arm))
        return self._writers[arm]
