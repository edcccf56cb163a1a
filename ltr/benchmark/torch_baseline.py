"""Plain PyTorch as a rival: a process of one thread on each core, all measured at once."""

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from ltr.config.schema import Experiment
from ltr.data import dataset
from ltr.errors import LtrError
from ltr.machine import cores

LOOP = Path(__file__).with_name("torch_loop.py")

NETWORKS = ("lenet_300_100", "conv2", "conv4", "conv6")
"""Those that `torch_loop.py` knows."""


class TorchBaseline:
    """The processes, while it is entered; none without PyTorch, or of a network it does not know."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        known = self._experiment.model.name in NETWORKS and self._experiment.model.width == 1
        if known and importlib.util.find_spec("torch"):
            self._processes = [self._started(core) for core in cores()]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def steps_per_second(self, density: float, seconds: float) -> float | None:
        """Of all processes together, measured for about that long; LtrError if one has died."""
        for process in self._processes:
            _ask(process, f"{density} {seconds}\n")
        return sum(map(_answer, self._processes)) if self._processes else None

    def _started(self, core: int) -> subprocess.Popen[str]:
        """Bound to a core."""
        facts = dataset.describe(self._experiment.dataset)
        task: dict[str, Any] = {
            "network": self._experiment.model.name,
            "image": facts.shape,
            "classes": facts.classes,
            "examples": dataset.training_examples(self._experiment.dataset),
            "batch_size": self._experiment.batch_size,
            "optimizer": self._experiment.optimizer.name,
            "learning_rate": self._experiment.optimizer.learning_rate,
            "core": core,
        }
        command = [sys.executable, str(LOOP), json.dumps(task)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # one that has died is heard of by its answer
        process.stdin.write(text)
        process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    answer = process.stdout.readline()
    if not answer:
        raise LtrError(f"PyTorch's process ended with status {process.wait()}; its own words are above")
    return float(answer)
