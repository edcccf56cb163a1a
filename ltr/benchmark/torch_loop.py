"""Masked training in plain PyTorch on one thread, written as most users would write it.

This script runs in a process of its own (see `torch_baseline.py`). It reads lines of density and seconds and
answers each with its training steps per second. The loop has every advantage that a plain loop can have: the
images are float32 in memory, batches are taken by index, and nothing is logged.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]

WARM_UP = 5
"""Steps before a measurement that are not counted."""


def main() -> None:
    """Answer requests until the standard input ends."""
    task = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {task["core"]})
    torch.set_num_threads(1)
    height, width, channels = task["image"]
    images = torch.randn(task["examples"], channels, height, width)
    labels = torch.randint(task["classes"], (task["examples"],))
    for line in sys.stdin:
        density, seconds = map(float, line.split())
        steps = train(task, images, labels, density)
        for _ in itertools.islice(steps, WARM_UP):
            pass
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            next(steps)
            count += 1
        print(count / elapsed, flush=True)


def train(task: dict[str, Any], images: Any, labels: Any, density: float) -> Iterator[None]:
    """Train without end; yield after each step."""
    model = network(**task["network"], image=tuple(images.shape[1:]), classes=task["classes"])
    masks = prune_at_random(model, density)
    update = getattr(torch.optim, task["optimizer"])(model.parameters(), **task["optimizer_options"])
    while True:
        for batch in torch.randperm(len(images)).split(task["batch_size"]):
            update.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            for weight, mask in masks:
                weight.grad *= mask
            update.step()
            yield


def network(blocks: list[int], dense: list[int], image: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Build blocks of two 3x3 convolutions and a max pooling, hidden dense layers, and the output layer.

    Args:
        blocks: channels of each block.
        dense: units of each hidden dense layer.
        image: channels, height and width.
        classes: number of outputs.
    """
    channels, height, width = image
    layers: list[Any] = []
    for features in blocks:
        for inputs in (channels, features):
            layers += [nn.Conv2d(inputs, features, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        channels, height, width = features, height // 2, width // 2
    layers.append(nn.Flatten())
    *hidden, output = itertools.pairwise((channels * height * width, *dense, classes))
    for pair in hidden:
        layers += [nn.Linear(*pair), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(*output))


def prune_at_random(model: nn.Sequential, density: float) -> list[tuple[Any, torch.Tensor]]:
    """Set all but a fraction `density` of each kernel to zero; return the kernels with their masks."""
    weights: list[Any] = [layer.weight for layer in model if hasattr(layer, "weight")]
    masks = [(torch.rand_like(weight) < density).float() for weight in weights]
    for weight, mask in zip(weights, masks, strict=True):
        weight.data *= mask
    return list(zip(weights, masks, strict=True))


if __name__ == "__main__":
    main()
