"""Checks that methods fit the rest of an experiment; without JAX."""

from ltr.config.schema import Experiment
from ltr.core.schedule import Schedule
from ltr.errors import ConfigError
from ltr.methods.registry import METHODS
from ltr.registry import load


def check(experiment: Experiment, times: Schedule) -> None:
    """Raise ConfigError if a method does not fit the rest of the experiment."""
    pruning = experiment.pruning
    if experiment.early_bird and (pruning.criterion, pruning.sign) != ("magnitude", "any"):
        raise ConfigError("early_bird=true: needs pruning.criterion=magnitude and pruning.sign=any")
    for name in experiment.arms:
        if check := METHODS[experiment.arm[name].method].check:
            load(check)(name, times.steps, times.later)
