"""Masked training in plain PyTorch on one thread, written as most users would write it.

This module runs in a process of its own (see `torch_baseline.py`) and speaks JSON. It prints the processor
seconds of a step in each memory format that makes a difference, then reads requests, `[seconds, density,
memory_format, is_fused]`, and answers each with its training steps per second. The loop has every advantage
that a plain loop can have: the images are float32 in memory, batches are taken by index, nothing is logged.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]

from ltr.benchmark.torch_networks import FAMILIES

WARM_UP = 5
"""Most steps before a measurement that are not counted; fewer if they take as long as the measurement."""

MOST_EXAMPLES = 9600
"""Most examples, whole batches of 60 and of 128; more would only take longer to draw."""

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def main() -> None:
    """Answer requests until the standard input ends."""
    task = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {task["core"]})
    torch.set_num_threads(1)
    training = Training.on_noise(task)
    convolves = any(parameter.dim() == 4 for parameter in training.network().parameters())
    formats = [*MEMORY_FORMATS][: None if convolves else 1]
    print(json.dumps({name: training.seconds_of_step(name) for name in formats}), flush=True)
    for line in sys.stdin:
        seconds, density, memory_format, is_fused = json.loads(line)
        print(steps_per_second(training.steps(density, memory_format, is_fused), seconds), flush=True)


def steps_per_second(steps: Iterator[None], seconds: float) -> float:
    """Measure for `seconds`, and at least a step, after a warm-up."""
    start = time.perf_counter()
    for _ in range(WARM_UP):
        next(steps)
        if time.perf_counter() - start > seconds:
            break
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        next(steps)
        count += 1
    return count / elapsed


class Training(NamedTuple):
    """Training of a network on noise.

    Attributes:
        task: see `torch_baseline.task`.
        images: [examples, channels, height, width].
        labels: [examples].
    """

    task: dict[str, Any]
    images: Any
    labels: Any

    @classmethod
    def on_noise(cls, task: dict[str, Any]) -> "Training":
        """Draw the images and the labels of a task."""
        height, width, channels = task["image"]
        examples = min(task["examples"], MOST_EXAMPLES)
        images = torch.randn(examples, channels, height, width)
        return cls(task, images, torch.randint(task["classes"], (examples,)))

    def network(self) -> nn.Module:
        """Build the network with new weights."""
        family, options = self.task["network"]["family"], self.task["network"]["options"]
        return FAMILIES[family](self.images.shape[1:], self.task["classes"], **options)

    def steps(self, density: float, memory_format: str, is_fused: bool) -> Iterator[None]:
        """Train without end, with random masks of a density; yield after each step."""
        layout = MEMORY_FORMATS[memory_format]
        model: Any = self.network().to(memory_format=layout)  # type: ignore[call-overload, unused-ignore]
        masks = prune_at_random(model, density)
        optimizer = getattr(torch.optim, self.task["optimizer"])
        update = optimizer(model.parameters(), **self.task["optimizer_options"], fused=is_fused)
        while True:
            for batch in torch.randperm(len(self.images)).split(self.task["batch_size"]):
                update.zero_grad()
                images = self.images[batch].to(memory_format=layout)
                nn.functional.cross_entropy(model(images), self.labels[batch]).backward()
                for weight, mask in masks:
                    weight.grad *= mask
                update.step()
                yield

    def seconds_of_step(self, memory_format: str) -> float:
        """Return the processor seconds of the second step, which other load hardly changes."""
        steps = self.steps(1.0, memory_format, is_fused=False)
        next(steps)
        start = time.process_time()
        next(steps)
        return time.process_time() - start


def prune_at_random(model: nn.Module, density: float) -> list[tuple[Any, torch.Tensor]]:
    """Set all but a fraction `density` of each kernel to zero; return the kernels with their masks."""
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    masks = [(torch.rand_like(weight) < density).float() for weight in weights]
    for weight, mask in zip(weights, masks, strict=True):
        weight.data *= mask
    return list(zip(weights, masks, strict=True))


if __name__ == "__main__":
    main()
