"""Baseline in plain PyTorch: one process of one thread on each core, all measured in parallel."""

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from ltr.config.schema import Experiment
from ltr.core.machine import cores
from ltr.data import dataset
from ltr.errors import LtrError

LOOP = Path(__file__).with_name("torch_loop.py")

NETWORKS = ("lenet_300_100", "conv2", "conv4", "conv6")
"""Networks that `torch_loop.py` implements."""


class TorchBaseline:
    """Context manager of the PyTorch processes; there are none without PyTorch or for other networks."""

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
        """Measure the training speed of all processes together; None if there are none.

        Args:
            density: density of every layer, 0 to 1.
            seconds: approximate duration of the measurement.

        Raises:
            LtrError: a process has died.
        """
        for process in self._processes:
            _ask(process, f"{density} {seconds}\n")
        return sum(map(_answer, self._processes)) if self._processes else None

    def _started(self, core: int) -> subprocess.Popen[str]:
        """Start a process that is bound to a core."""
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
    with contextlib.suppress(BrokenPipeError):  # _answer reports a process that has died
        process.stdin.write(text)
        process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    answer = process.stdout.readline()
    if not answer:
        raise LtrError(f"PyTorch's process ended with status {process.wait()}; its output is above")
    return float(answer)
