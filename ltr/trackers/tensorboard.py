"""TensorBoard: event files below `<output_root>/tensorboard/<run>`, a folder an arm: curves overlay."""

import time

from tensorboardX import SummaryWriter

from ltr.trackers.tracking import End, Scalar, Subject


class TensorBoard:
    """Look with: tensorboard --logdir outputs/tensorboard"""

    def __init__(self, subject: Subject) -> None:
        self._folder = subject.folder.parent / "tensorboard" / subject.name
        self.is_new = not self._folder.exists()
        self._writers: dict[str, SummaryWriter] = {}
        knobs = "\n".join(f"- {name}: {value}" for name, value in {**subject.knobs, **subject.extent}.items())
        self._writer("ticket").add_text("knobs", knobs)

    def add(self, scalars: list[Scalar]) -> None:
        """Write them, and have them seen at once."""
        for scalar in scalars:
            self._writer(scalar.arm).add_scalar(scalar.name, scalar.value, scalar.step)
        for writer in self._writers.values():
            writer.flush()

    def close(self, end: End) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, arm: str) -> SummaryWriter:
        if arm not in self._writers:
            session = f".{time.time_ns()}"  # files of one second would have one name
            self._writers[arm] = SummaryWriter(str(self._folder / arm), filename_suffix=session)
        return self._writers[arm]
