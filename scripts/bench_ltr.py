"""How fast ltr trains LeNet-300-100, on every core that this process may use.

    python scripts/bench_ltr.py --batch-size 60 --optimizer adam --lanes 8

prints training steps per second, all lanes together: the engine of `ltr run`, its shuffling,
normalisation, masks and host visits included, on noise in the shape of MNIST. Evaluation is left
out (one example a split), as it is in what this is compared with.
"""

import argparse
import time

import jax
import numpy as np

from ltr import devices, models, optimizers, training
from ltr.data import Dataset, Split
from ltr.knobs import parse
from ltr.methods import METHODS, Parts
from ltr.models import Model
from ltr.waves import Start, Trainer

EXAMPLES = 55_000
IMAGE = (28, 28, 1)
DENSITY = 0.2
LEARNING_RATES = {"adam": 1.2e-3, "sgd": 0.1}


def ltr_steps_per_second(batch_size: int, optimizer: str, lanes: int, seconds: float) -> float:
    """Training steps a second of all lanes together, measured for about that long after a warm-up."""
    devices.start(cache=None)
    knobs = parse({"optimizer": {"name": optimizer, "learning_rate": LEARNING_RATES[optimizer]}})
    model = models.build(knobs.model, IMAGE, 10)
    rule = optimizers.build(knobs.optimizer, steps=10**9, steps_per_epoch=EXAMPLES // batch_size)
    method = METHODS["weights"](Parts(model, rule, steps=10**9, steps_per_epoch=EXAMPLES // batch_size))
    programs = {"weights": training.program(model, method, batch_size)}
    placement = devices.place(None, None, lanes, lane_bytes=10**7)
    trainer = Trainer(programs, rule, training.examples(noise()), placement)
    starts = {number: pruned_at_random(model, number) for number in range(lanes)}
    timed(trainer, starts, steps=100)  # compiles
    pace = timed(trainer, starts, steps=300)
    return timed(trainer, starts, steps=max(300, round(pace * seconds / lanes)))


def timed(trainer: Trainer, starts: dict[int, Start], steps: int) -> float:
    """Trains every lane for that many steps; steps a second of all lanes together."""
    visits = np.array([0, steps], np.int32)
    start = time.perf_counter()
    trainer.train(starts, visits, lambda progress: None)
    return len(starts) * steps / (time.perf_counter() - start)


def noise() -> Dataset:
    """Random images and labels in the shape of MNIST's 55,000 training examples."""
    random = np.random.default_rng(0)
    images = random.integers(256, size=(EXAMPLES, *IMAGE), dtype=np.uint8)
    labels = random.integers(10, size=EXAMPLES, dtype=np.int32)
    one = Split(images[:1], labels[:1])
    mean, std = np.full(1, 127.5, np.float32), np.full(1, 73.9, np.float32)
    return Dataset("noise", Split(images, labels), one, one, 10, mean, std)


def pruned_at_random(model: Model, number: int) -> Start:
    """Fresh weights of which each kernel keeps `DENSITY`."""
    random = np.random.default_rng(number)
    params = jax.tree.map(np.asarray, model.init(jax.random.key(number)))
    mask = jax.tree.map(lambda _: None, params)
    for layer, kinds in model.kinds.items():
        if kinds["kernel"]:
            mask[layer]["kernel"] = random.random(params[layer]["kernel"].shape) < DENSITY
            params[layer]["kernel"] = params[layer]["kernel"] * mask[layer]["kernel"]
    return Start(params, mask, np.array([0, number], np.uint32))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Steps per second of ltr's training.")
    parser.add_argument("--batch-size", type=int, default=60)
    parser.add_argument("--optimizer", choices=sorted(LEARNING_RATES), default="adam")
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    print(ltr_steps_per_second(**vars(parser.parse_args())))
