"""The benchmark of several networks, each as its experiment trains it, in a limited time."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr.benchmark.comparison import Comparison, compare, unmeasured
from ltr.experiment.compose import from_words
from ltr.report.progress import duration

LIMIT = 230.0
"""Seconds in which the last measurement begins; with what comes before and after, four minutes."""


class Plan(NamedTuple):
    """Measurement of a network.

    Attributes:
        experiment: name of the experiment whose network, batch size and optimizer are measured.
        densities: 0 to 1.
        seconds: time that is enough for three turns on two idle cores.
    """

    experiment: str
    densities: Sequence[float]
    seconds: float


PLANS = (
    Plan("mnist_lenet", (1, 0.5, 0.2, 0.1, 0.036, 0.012), 35),
    Plan("cifar10_conv2", (1, 0.1, 0.036), 30),
    Plan("cifar10_conv4", (1, 0.1), 30),
    Plan("cifar10_conv6", (1, 0.1), 35),
    Plan("cifar10_resnet20", (1, 0.1), 40),
    Plan("cifar10_vgg16", (1, 0.1), 60),
)


class _TimeIsOver(Exception):  # noqa: N818
    """The time of all networks is over."""


def compare_all(
    repeats: int,
    seconds: float,
    break_even_file: Path,
    on_status: Callable[[str], None],
    compare: Callable[..., Comparison] = compare,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Comparison]:
    """Measure the networks of `PLANS` in turn; yield the comparison of each.

    A network gets its share of the time that is left, and takes fewer turns if it needs more. One whose first
    turn is not over at the end of the time has no turns.

    Args:
        repeats: largest number of turns of a network.
        seconds: duration of a measurement.
        break_even_file: file of this machine's break-even densities.
        on_status: callback with a line on the current measurement and the time that is left.
        compare: measures a network.
        clock: current time in seconds.
    """
    end = clock() + LIMIT
    for number, plan in enumerate(PLANS, 1):
        experiment = from_words([f"experiment={plan.experiment}"])

        def show(text: str, name: str = f"{plan.experiment} ({number} of {len(PLANS)})") -> None:
            if clock() > end:
                raise _TimeIsOver
            on_status(text and f"at most {duration(end - clock())} left; {name}: {text}")

        share = plan.seconds / sum(other.seconds for other in PLANS[number - 1 :])
        until = clock() + share * (end - clock())
        try:
            yield compare(experiment, plan.densities, repeats, seconds, break_even_file, show, until)
        except _TimeIsOver:
            yield unmeasured(experiment)
