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

NETWORKS = {
    "lenet_300_100": {"blocks": [], "dense": [300, 100]},
    "conv2": {"blocks": [64], "dense": [256, 256]},
    "conv4": {"blocks": [64, 128], "dense": [256, 256]},
    "conv6": {"blocks": [64, 128, 256], "dense": [256, 256]},
}
"""Networks that PyTorch trains too: channels of their convolutional blocks, units of their dense layers."""

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD", "momentum": "SGD"}
"""Optimizers that PyTorch uses too: the name of each in `torch.optim`."""


class TorchBaseline:
    """Context manager of the PyTorch processes.

    There are none without PyTorch, or if the experiment has a network, width, dropout or optimizer that
    `torch_loop.py` does not implement.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        if is_known(self._experiment) and importlib.util.find_spec("torch"):
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
        facts, optimizer = dataset.describe(self._experiment.dataset), self._experiment.optimizer
        momentum = {"momentum": optimizer.momentum} if optimizer.name == "momentum" else {}
        task: dict[str, Any] = {
            "network": NETWORKS[self._experiment.model.name],
            "image": facts.shape,
            "classes": facts.classes,
            "examples": dataset.training_examples(self._experiment.dataset),
            "batch_size": self._experiment.batch_size,
            "optimizer": OPTIMIZERS[optimizer.name],
            "optimizer_options": {"lr": optimizer.learning_rate, **momentum},
            "core": core,
        }
        command = [sys.executable, str(LOOP), json.dumps(task)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def is_known(experiment: Experiment) -> bool:
    """Return whether `torch_loop.py` implements the network and the optimizer of an experiment."""
    model = experiment.model
    is_plain = model.width == 1 and not model.dropout
    return model.name in NETWORKS and is_plain and experiment.optimizer.name in OPTIMIZERS


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
