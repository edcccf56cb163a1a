"""Baseline in plain PyTorch: one process of one thread on each core, all measured in parallel."""

import contextlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from ltr.config.schema import Experiment, Optimizer
from ltr.core.machine import cores
from ltr.data import dataset
from ltr.errors import LtrError

LOOP = "ltr.benchmark.torch_loop"
"""Module that each process runs."""


class Network(NamedTuple):
    """Function of `torch_networks.FAMILIES` that builds a network, and its options."""

    family: str
    options: dict[str, Any]


NETWORKS = {
    "lenet_300_100": Network("conv_net", {"blocks": [], "dense": [300, 100]}),
    "conv2": Network("conv_net", {"blocks": [64], "dense": [256, 256]}),
    "conv4": Network("conv_net", {"blocks": [64, 128], "dense": [256, 256]}),
    "conv6": Network("conv_net", {"blocks": [64, 128, 256], "dense": [256, 256]}),
    "resnet20": Network("resnet", {"groups": [16, 32, 64], "blocks": 3}),
    "resnet18": Network("resnet", {"groups": [64, 128, 256, 512], "blocks": 2}),
    "vgg16": Network("vgg", {"channels": [64, 128, 256, 512, 512], "convolutions": [2, 2, 3, 3, 3]}),
    "vgg19": Network("vgg", {"channels": [64, 128, 256, 512, 512], "convolutions": [2, 2, 4, 4, 4]}),
}
"""Networks that PyTorch trains too, by their names in ltr."""

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
        self._memory_format: str | None = None

    def __enter__(self) -> Self:
        if is_known(self._experiment) and importlib.util.find_spec("torch"):
            self._processes = [_started(task(self._experiment, core)) for core in cores()]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def warm_up(self) -> str | None:
        """Wait for the processes, and choose and return the memory format in which they train faster.

        It is the one of which a step takes them fewer processor seconds. None if there are no processes.

        Raises:
            LtrError: a process has died.
        """
        timed = [_answer(process) for process in self._processes]
        if timed:
            self._memory_format = min(timed[0], key=lambda name: sum(seconds[name] for seconds in timed))
        return self._memory_format

    def steps_per_second(self, density: float, seconds: float, is_fused: bool) -> float | None:
        """Measure the training speed of all processes together, after `warm_up`; None if there are none.

        Args:
            density: density of every layer, 0 to 1.
            seconds: approximate duration of the measurement.
            is_fused: whether the optimizer updates the weights in one fused pass.

        Raises:
            LtrError: a process has died.
        """
        for process in self._processes:
            _ask(process, [seconds, density, self._memory_format, is_fused])
        return sum(map(_answer, self._processes)) if self._processes else None


def is_known(experiment: Experiment) -> bool:
    """Return whether `torch_loop.py` implements the network and the optimizer of an experiment."""
    model, optimizer = experiment.model, experiment.optimizer
    is_plain = model.width == 1 and not model.dropout and optimizer.clip is None
    decays_all = not optimizer.weight_decay or optimizer.decayed == "all"
    return model.name in NETWORKS and optimizer.name in OPTIMIZERS and is_plain and decays_all


def task(experiment: Experiment, core: int) -> dict[str, Any]:
    """Return what a process is to train, on which core, as plain data."""
    facts = dataset.describe(experiment.dataset)
    return {
        "network": NETWORKS[experiment.model.name]._asdict(),
        "image": facts.shape,
        "classes": facts.classes,
        "examples": dataset.training_examples(experiment.dataset),
        "batch_size": experiment.batch_size,
        "optimizer": OPTIMIZERS[experiment.optimizer.name],
        "optimizer_options": _options(experiment.optimizer),
        "core": core,
    }


def _options(optimizer: Optimizer) -> dict[str, Any]:
    """Return the arguments of PyTorch's optimizer that have the meaning of ltr's knobs."""
    own: dict[str, dict[str, Any]] = {
        "adam": {"decoupled_weight_decay": True},
        "sgd": {},
        "momentum": {"momentum": optimizer.momentum},
    }
    return {"lr": optimizer.learning_rate, "weight_decay": optimizer.weight_decay, **own[optimizer.name]}


def _started(task: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", LOOP, json.dumps(task)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(process: subprocess.Popen[str], request: Sequence[Any]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # _answer reports a process that has died
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    answer = process.stdout.readline()
    if not answer:
        raise LtrError(f"PyTorch's process ended with status {process.wait()}; its output is above")
    return json.loads(answer)
