"""Parts of scripts/gpu.py, each of which measures in a process of its own and prints lines of JSON.

python -m scripts.gpu_parts PART OPTIONS

A line is a row of the table (see `scripts.gpu.Found`), notes, or facts about the machine. A row is printed as
left out before it is measured, and again after each turn, so that a process which is stopped leaves what it
has.
"""

import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ltr.arms.lanes import lanes, widest
from ltr.config.schema import Experiment
from ltr.core import cache_paths, masks
from ltr.core.machine import commit, machine
from ltr.data import dataset
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.engine.running_batch import Outcome
from ltr.engine.speed import Steps, noisy, noisy_images
from ltr.engine.trainer import InitialState, Progress
from ltr.experiment import runtime
from ltr.experiment.compose import from_words
from ltr.experiment.conv_form import conv_form
from ltr.experiment.memory import memory
from ltr.experiment.placement import arithmetic, place
from ltr.experiment.plan import plan
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA
from ltr.models.conv_forms import FORMS
from ltr.report.progress import duration
from scripts import golden

LENET = "LeNet-300-100"

NETWORKS = {
    "conv2": ("experiment=cifar10_conv2",),
    "resnet20": ("experiment=cifar10_resnet20",),
}
"""Words of each network of convolutions."""

WARM_UP = 0.1
"""Fraction of the steps of a measurement that is not counted; most of its chunks lie there."""

ENDLESS = 10**7
"""Steps of a training that is stopped when it has been measured."""


class Options(NamedTuple):
    """Sizes of the measurement.

    Attributes:
        lanes: numbers of lanes of LeNet-300-100.
        conv_lanes: numbers of lanes of the networks of convolutions.
        seconds: least duration of a measurement.
        turns: measurements of each median.
        knobs: further words of every experiment.
    """

    lanes: Sequence[int] = (1, 8, 64, 512)
    conv_lanes: Sequence[int] = (1, 4, 16)
    seconds: float = 1.0
    turns: int = 3
    knobs: Sequence[str] = ()


Row = tuple[str, int]
"""What is trained, and on how many lanes."""


def show(**line: Any) -> None:
    """Print a line."""
    print(json.dumps(line), flush=True)


def show_row(
    row: Row, speed: float | None, estimated: int | None = None, reported: int | None = None
) -> None:
    """Print a row; `speed` in steps per second of all lanes, memory in bytes."""
    show(what=row[0], lanes=row[1], steps_per_second=speed, estimated=estimated, reported=reported)


class _MeasuredError(Exception):
    """A training that has been measured."""


class Training:
    """Training of a network on noise in the shape of its data set, as a run trains: lanes on one device.

    Attributes:
        spec: the run.
        form: form of its convolutions.
        estimated: bytes of the device that ltr estimates.
        reported: most bytes that the device has used by the end of the first measurement, without those
            before; None if it does not tell.
    """

    def __init__(self, words: tuple[str, ...], count: int) -> None:
        placed = "arms=[ticket]", "devices=1", "parallel=lanes", "check_memory=false"
        experiment = from_words([*words, *placed, f"replicates={count}", f"lanes_per_device={count}"])
        self.spec = RunSpec.from_experiment(experiment)
        zeros = dataset.describe(experiment.dataset).zeros
        self.form = conv_form(self.spec, cache_paths.conv_forms_file(), _be_silent)
        chosen = arithmetic(self.spec, zeros)._replace(conv_form=self.form)
        self._placement = place(self.spec)
        self.estimated = memory(self.spec, chosen).of_device(self._placement)
        self.reported: int | None = None
        self._used_before = _memory_of(self._placement, "bytes_in_use")
        self._trainer = runtime.build(self.spec, arithmetic=chosen, data=noise(experiment)).trainer
        generator = np.random.default_rng(0)
        params = jax.tree.map(lambda leaf: noisy(generator, leaf.shape), self.spec.shapes)
        mask = masks.ones(params, self.spec.model.layer_types)
        self._starts = {
            lane: InitialState(params, mask, np.array([0, lane], np.uint32)) for lane in range(count)
        }

    def steps_per_second(self, eval_every: int, seconds: float) -> float:
        """Measure the training speed of all lanes together, without compilation.

        Args:
            eval_every: steps between evaluations.
            seconds: least duration of the measurement.
        """
        marks = [(0.0, 0)]  # time, and steps of all lanes so far, at the end of each chunk

        def on_chunk(progress: Progress) -> None:
            marks.append((time.perf_counter(), marks[-1][1] + progress.steps))
            if marks[-1][0] - marks[1][0] > seconds:
                raise _MeasuredError

        with contextlib.suppress(_MeasuredError):
            self._trainer.train(self._starts, np.arange(0, ENDLESS + 1, eval_every, dtype=np.int32), on_chunk)
        peak = _memory_of(self._placement, "peak_bytes_in_use")
        if self.reported is None and peak is not None and self._used_before is not None:
            self.reported = peak - self._used_before
        ended, last = marks[-1]
        began, first = next(mark for mark in marks[1:] if mark[1] >= WARM_UP * last or mark == marks[-2])
        return (last - first) / (ended - began)

    def outcomes(self, steps: int) -> dict[Any, Outcome]:
        """Train from the beginning, and evaluate at the end alone."""
        return self._trainer.train(self._starts, np.array([0, steps], np.int32), _be_silent)


def _be_silent(message: object) -> None:
    """Ignore a message."""


def _memory_of(placement: Placement, fact: str) -> int | None:
    """Return what the first device of a placement tells of its memory, in bytes; None if it does not."""
    value: int | None = (placement.devices[0].memory_stats() or {}).get(fact)
    return value


def noise(experiment: Experiment) -> Dataset:
    """Draw images and labels in the shape of a data set, with splits of its sizes."""
    config, generator = experiment.dataset, np.random.default_rng(0)
    facts = dataset.describe(config)

    def split(count: int) -> Split:
        labels = generator.integers(facts.classes, size=count, dtype=np.int32)
        return Split(noisy_images(generator, (count, *facts.shape), facts.zeros), labels)

    sizes = dataset.training_examples(config), config.validation, facts.test_examples
    train, validation, test = map(split, sizes)
    return Dataset("noise", train, validation, test, facts.classes, *dataset.moments(train.images))


class Medians:
    """Medians of measurements in turns, shown after each."""

    def __init__(self) -> None:
        self._taken: dict[Row, list[float]] = {}

    def add(self, row: Row, speed: float, training: Training | None = None) -> float:
        """Add a measurement, and return the median; memory is that of the training."""
        self._taken.setdefault(row, []).append(speed)
        median = statistics.median(self._taken[row])
        show_row(row, median, *((training.estimated, training.reported) if training else ()))
        return median


def lenet(options: Options) -> None:
    """Measure LeNet-300-100, evaluated as in the paper and not at all, and project `mnist_lenet`."""
    paper = from_words(["experiment=mnist_lenet", *options.knobs])
    counts = sorted({*options.lanes, widest(paper)})
    eval_every = RunSpec.from_experiment(paper).schedule.eval_every
    names = {LENET: ENDLESS, f"{LENET}, evaluated": eval_every}
    for count in counts:
        for name in names:
            show_row((name, count), None)
    medians, trainings = Medians(), dict[int, Training]()
    for turn in range(options.turns):
        for count in counts:
            if count not in trainings:
                trainings[count] = Training(("experiment=mnist_lenet", *options.knobs), count)
            for name, every in names.items():
                speed = trainings[count].steps_per_second(every, options.seconds)
                median = medians.add((name, count), speed, trainings[count])
            if count == widest(paper):
                show(notes={"mnist_lenet": projection(paper, median)})
        if turn == 0:  # not before, as it uses memory of the device
            planned = duration(plan(paper, _be_silent, _be_silent).seconds)
            text = f"estimates {planned} for experiment=mnist_lenet on all devices of this machine"
            show(notes={"ltr plan": text})


def projection(experiment: Experiment, speed: float) -> str:
    """Return how long an experiment takes on one device that trains the lanes of a round together.

    `speed`: steps per second of as many lanes as its widest round has.
    """
    schedule = RunSpec.from_experiment(experiment).schedule
    count, numbers = widest(experiment), range(experiment.rounds + 1)
    batches = {number: -(-len(lanes(experiment, number)) // count) for number in numbers}
    steps = sum(batches[number] * schedule.length(number) for number in numbers)
    taken = duration(steps * count / speed)
    return f"{taken}, projected: {steps:,} steps of {count} lanes side by side on one device, evaluated"


def forms(options: Options, network: str) -> None:
    """Measure the training steps of a network in each form of its convolutions, most lanes first."""
    spec = RunSpec.from_experiment(from_words([*NETWORKS[network], *options.knobs]))
    facts = dataset.describe(spec.experiment.dataset)
    shape = (spec.experiment.batch_size, *facts.shape)
    images = noisy_images(np.random.default_rng(0), shape, facts.zeros)
    rows = {
        (f"{network} step, {form}", count): form
        for count in sorted(options.conv_lanes, reverse=True)
        for form in FORMS
    }
    for row in rows:
        show_row(row, None)
    medians, timers = Medians(), dict[Row, Callable[[], float]]()
    for _ in range(options.turns):
        for row, form in rows.items():
            if row not in timers:
                timers[row] = timer(spec, form, images, row[1], options.seconds)
            medians.add(row, timers[row]())


def timer(spec: RunSpec, form: str, images: np.ndarray, count: int, seconds: float) -> Callable[[], float]:
    """Return a function that measures steps per second of all lanes, compiled."""
    placement = Placement(devices.available(1), count)
    steps = Steps(spec.training_context(XLA._replace(conv_form=form)), images, placement)
    steps.compile()
    steps.seconds(1)  # allocates
    number = max(1, round(seconds / steps.seconds(1)))
    return lambda: count / steps.seconds(number)


def repeat(options: Options, flags: str) -> None:
    """Measure Conv-2 as a run trains it, and say whether a training repeats bit for bit.

    `flags`: a word for the `XLA_FLAGS` of this process.
    """
    count = max(options.conv_lanes)
    row = f"conv2, {flags}", count
    show_row(row, None)
    training = Training((*NETWORKS["conv2"], *options.knobs), count)
    medians = Medians()
    for _ in range(options.turns):
        median = medians.add(row, training.steps_per_second(ENDLESS, options.seconds), training)
    steps = max(5, round(options.seconds * median / count))
    first, second = (training.outcomes(steps) for _ in range(2))
    found = "repeats bit for bit" if largest_difference(first, second) == 0 else "does not repeat bit for bit"
    show(notes={row[0]: f"{found} in {steps} steps; form of XLA's convolutions: {training.form}"})


def largest_difference(first: Mapping[Any, Outcome], second: Mapping[Any, Outcome]) -> float:
    """Return the largest difference of a weight of lanes that were trained twice."""

    def differences(one: Any, other: Any) -> float:
        return float(np.abs(one - other).max())

    params = ({name: outcome.params for name, outcome in outcomes.items()} for outcomes in (first, second))
    return max(jax.tree.leaves(jax.tree.map(differences, *params)))


def run() -> None:
    """Train the golden run by `ltr run`, and say how far its numbers are from those of a CPU."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        tables = golden.run(Path(root))
    taken, stored = time.monotonic() - began, golden.read()
    largest = golden.spread(stored, tables)
    losses = max(value for column, value in largest.items() if column.endswith("loss"))
    accuracies = max(value for column, value in largest.items() if not column.endswith("loss"))
    exact = [
        line for line in golden.moved(stored, tables) if line.split(".")[1].split(":")[0] in golden.EXACT
    ]
    text = (
        f"the golden run took {taken:.0f} s; from the numbers of a CPU, losses differ by up to {losses:.1e} "
        f"of their value, accuracies by up to {100 * accuracies:.2f} points"
    )
    show(notes={"ltr run": "; ".join([text, *exact])})


PARTS: dict[str, Callable[..., None]] = {
    "lenet": lenet,
    "run": lambda options: run(),
    **{network: partial(forms, network=network) for network in NETWORKS},
    "plain": partial(repeat, flags="plain"),
    "deterministic": partial(repeat, flags="deterministic"),
}
"""Function of each part."""


def main(part: str, options: str) -> None:
    """Measure a part; `options`: the fields of `Options` as a JSON object."""
    devices.start(None)
    show(machine={**machine(), "commit": commit()})
    PARTS[part](Options(**json.loads(options)))


if __name__ == "__main__":
    main(*sys.argv[1:])
