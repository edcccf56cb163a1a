"""Checks that the knobs of an experiment are compatible, as far as that is known before data is read.

Nothing here imports JAX or NumPy, so errors are reported at once.
"""

from ltr.analysis import checks as claims
from ltr.arms import checks as arms
from ltr.config import names
from ltr.config.schema import Experiment, Optimizer
from ltr.config.walk import by_name
from ltr.core import schedule
from ltr.core.registry import SCHEDULES
from ltr.core.schedule import Schedule
from ltr.data import checks as data
from ltr.data.registry import DATASETS, DatasetEntry, Facts
from ltr.errors import ConfigError
from ltr.methods import checks as methods
from ltr.models.registry import NETWORKS
from ltr.pruning import checks as pruning
from ltr.pruning.registry import REWINDINGS

MOST_TRAININGS = 1_000_000
"""Largest number of trainings of a run: a plan lists them all, in memory."""

LARGEST = 3.4e38
"""Largest number of a knob: training computes in float32, where a larger one is infinite."""


def check(experiment: Experiment) -> None:
    """Refuse incompatible knobs.

    Raises:
        ConfigError: a knob is wrong; the message names it.
        DataNotFoundError: `dataset.path` does not exist.
    """
    check_parts(experiment)
    _require_finite(experiment)
    _require_countable(experiment)
    _require_drops(experiment.optimizer)
    _require_equal_shares(experiment)
    claims.check(experiment)
    data.check(experiment.dataset)
    entry = DATASETS[experiment.dataset.name]
    if isinstance(entry, DatasetEntry):
        data.require_fewer(experiment.dataset, entry.train_examples)
        schedule_of(experiment, entry, entry.train_examples - experiment.dataset.validation)


def check_parts(experiment: Experiment) -> None:
    """Raise ConfigError for unknown names, and for incompatible arms, pruning or rewinding."""
    names.require_known(experiment)
    arms.check(experiment)
    pruning.check(experiment)


def schedule_of(experiment: Experiment, facts: Facts, train_examples: int) -> Schedule:
    """Return the schedule on a data set; ConfigError if the network, a duration or a method does not fit it.

    `train_examples`: number of training examples, without those held out for validation.
    """
    NETWORKS[experiment.model.name].check(experiment.model, facts.shape)
    times = schedule.resolve(experiment, train_examples, REWINDINGS[experiment.rewind.name].span)
    methods.check(experiment, times)
    _require_searches_that_fit(experiment, times, train_examples)
    return times


def _require_searches_that_fit(experiment: Experiment, times: Schedule, train_examples: int) -> None:
    """Raise ConfigError if a search takes no step, more than other trainings, or batches of a wrong size."""
    for name in experiment.arms:
        batches, most = experiment.arm[name].search_batches, train_examples // experiment.batch_size
        if batches > most:
            raise ConfigError(
                f"arm.{name}.search_batches={batches}: must be at most {most}, as many as an epoch has"
            )
        part, whole = experiment.arm[name].search_steps, min(times.steps, times.length(1))
        is_larger = part.unit == "%" and part.amount > 100
        if is_larger or not 1 <= part.of(whole, times.steps_per_epoch) <= whole:
            raise ConfigError(
                f"arm.{name}.search_steps={part}: must be from 1 to {whole} steps, or a share up to 100%"
            )


def _require_finite(experiment: Experiment) -> None:
    """Raise ConfigError for the first knob whose number is infinite in float32."""
    for name, value, _ in by_name(experiment):
        if isinstance(value, float) and value > LARGEST:
            raise ConfigError(f"{name}={value}: must be at most {LARGEST}, as it is a float32 in training")


def _require_countable(experiment: Experiment) -> None:
    """Raise ConfigError if a run has more than `MOST_TRAININGS` trainings; it names the largest factor."""
    draws = sum(map(experiment.draws, experiment.arms))
    factors = {f"arm.{name}.draws": experiment.draws(name) for name in experiment.arms}
    factors |= {"rounds": experiment.rounds, "replicates": experiment.replicates}
    trainings = experiment.replicates * (1 + experiment.rounds * draws)
    if trainings > MOST_TRAININGS:
        knob = max(factors, key=lambda name: factors[name])
        raise ConfigError(
            f"{knob}={factors[knob]}: makes {trainings:,} trainings; "
            f"must be at most {MOST_TRAININGS:,} in all"
        )


def _require_equal_shares(experiment: Experiment) -> None:
    """Raise ConfigError if the devices that are to share batches do not divide them."""
    devices, batch_size = experiment.devices, experiment.batch_size
    if experiment.parallel == "batch" and devices and batch_size % devices:
        fewer = max(count for count in range(1, devices) if batch_size % count == 0)
        raise ConfigError(
            f"devices={devices}: must divide batch_size={batch_size} with parallel=batch; choose "
            f"devices={fewer} or batch_size={-(-batch_size // devices) * devices}"
        )


def _require_drops(optimizer: Optimizer) -> None:
    """Raise ConfigError if a schedule that drops at `optimizer.drops` has none."""
    if SCHEDULES[optimizer.schedule].needs_drops and not optimizer.drops:
        raise ConfigError(
            f"optimizer.schedule={optimizer.schedule}: needs optimizer.drops, as in [20000,80ep]"
        )
