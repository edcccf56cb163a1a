"""Checks of the knobs in the group `claims`, before pandas is imported."""

from ltr.analysis.registry import CLAIMS
from ltr.config.schema import Experiment
from ltr.errors import ConfigError
from ltr.pruning.registry import REWINDINGS


def check(experiment: Experiment) -> None:
    """Raise ConfigError if replicates are added for claims that this experiment cannot decide."""
    knobs = experiment.claims
    if knobs.most is None:
        return
    knob = f"replicates=auto or claims.most={knobs.most}"
    if experiment.replicates > knobs.most:
        raise ConfigError(f"claims.most={knobs.most}: must be at least replicates={experiment.replicates}")
    if experiment.ticket:
        raise ConfigError(f"{knob}: needs ticket=null; another run's tickets are limited in number")
    if not REWINDINGS[experiment.rewind.name].restores_weights:
        raise ConfigError(
            f"{knob}: needs rewind=weights, not {experiment.rewind.name}, which no claim is about"
        )
    for name in knobs.decide:
        if CLAIMS[name].arm not in experiment.arms:
            raise ConfigError(f"{knob}: claims.decide={name} needs {CLAIMS[name].arm} among arms")
