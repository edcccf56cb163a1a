"""The loop that most people would write: masked training of LeNet-300-100 in plain PyTorch.

    python scripts/torch_loop.py --batch-size 60 --optimizer adam --threads 1

prints training steps per second. Nothing is held back that a plain loop can have: the images are
float32 in memory, batches are taken by index, and nothing is logged. The masks keep every weight
(round 0): on some machines PyTorch takes much longer over the square roots of exact zeros in Adam,
and that is not what should be compared (`--density 0.2` shows it).
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]

EXAMPLES = 55_000
WIDTHS = (784, 300, 100, 10)
OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1.2e-3),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
}


def steps_per_second(
    batch_size: int, optimizer: str, threads: int, seconds: float, density: float = 1.0
) -> float:
    """Training steps a second on that many threads, measured for about that long after a warm-up."""
    torch.set_num_threads(threads)
    steps = train(batch_size, optimizer, density)
    for _ in itertools.islice(steps, 100):  # warm-up
        pass
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        next(steps)
        count += 1
    return count / elapsed


def train(batch_size: int, optimizer: str, density: float) -> Iterator[None]:
    """Trains for ever on noise; each item is a step done."""
    images = torch.randn(EXAMPLES, WIDTHS[0])
    labels = torch.randint(WIDTHS[-1], (EXAMPLES,))
    model = lenet()
    masks = prune_at_random(model, density)
    update = OPTIMIZERS[optimizer](model.parameters())
    while True:
        for batch in torch.randperm(EXAMPLES).split(batch_size):
            update.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            for weight, mask in masks:
                weight.grad *= mask
            update.step()
            yield


def lenet() -> nn.Sequential:
    """LeNet-300-100."""
    first, second, output = (nn.Linear(*widths) for widths in itertools.pairwise(WIDTHS))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), output)


def prune_at_random(model: nn.Sequential, density: float) -> list[tuple[Any, torch.Tensor]]:
    """Sets all but `density` of each kernel to zero; the kernels, each with its mask."""
    weights: list[Any] = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    masks = [(torch.rand_like(weight) < density).float() for weight in weights]
    for weight, mask in zip(weights, masks, strict=True):
        weight.data *= mask
    return list(zip(weights, masks, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Steps per second of a plain PyTorch training loop.")
    parser.add_argument("--batch-size", type=int, default=60)
    parser.add_argument("--optimizer", choices=sorted(OPTIMIZERS), default="adam")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--density", type=float, default=1.0, help="share of the weights that the masks keep")
    print(steps_per_second(**vars(parser.parse_args())))
