"""Checks of what is asked of claims, before pandas is imported."""

from ltr.analysis.registry import CLAIMS
from ltr.config.schema import Experiment
from ltr.errors import ConfigError
from ltr.pruning.registry import REWINDINGS


def check(experiment: Experiment) -> None:
    """ConfigError if replicates are to be added until claims are decided that cannot be."""
    asked = experiment.claims
    if asked.most is None:
        return
    if experiment.replicates > asked.most:
        raise ConfigError(f"claims.most={asked.most}: must be at least replicates={experiment.replicates}")
    if experiment.ticket:
        raise ConfigError("replicates=auto: needs ticket=null; of another run's tickets there are no more")
    if not REWINDINGS[experiment.rewind.name].restores_weights:
        raise ConfigError(
            f"replicates=auto: needs rewind=weights, not {experiment.rewind.name}, which no claim is about"
        )
    for name in asked.decide:
        if CLAIMS[name].arm not in experiment.arms:
            raise ConfigError(f"claims.decide: {name} needs {CLAIMS[name].arm} among arms")
