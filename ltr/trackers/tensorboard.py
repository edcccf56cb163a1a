"""TensorBoard: event files in `<output_root>/tensorboard/<run>/<arm>`; TensorBoard overlays the arms."""

import time

from tensorboardX import SummaryWriter

from ltr.trackers.tracker import End, Scalar, Subject


class TensorBoard:
    """TensorBoard tracker; `tensorboard --logdir outputs/tensorboard` shows the runs."""

    def __init__(self, subject: Subject) -> None:
        self._folder = subject.beside / "tensorboard" / subject.name
        self.is_new = not self._folder.exists()
        self._writers: dict[str, SummaryWriter] = {}
        knobs = "\n".join(f"- {name}: {value}" for name, value in {**subject.knobs, **subject.extent}.items())
        self._writer("ticket").add_text("knobs", knobs)

    def add(self, scalars: list[Scalar]) -> None:
        """Write scalars and flush the files."""
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
            session = f".{time.time_ns()}"  # two files of the same second would have the same name
            self._writers[arm] = SummaryWriter(str(self._folder / arm), filename_suffix=session)
        return self._writers[arm]
