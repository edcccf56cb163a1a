"""From words on the command line to a validated `Experiment`; Hydra and OmegaConf stop here."""

import dataclasses
import os
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ltr.config import files, groups, names
from ltr.config.groups import ARM
from ltr.config.overrides import overrides
from ltr.config.parse import parse
from ltr.config.schema import Arm, Experiment, to_dict
from ltr.errors import ConfigError
from ltr.experiment import checks

ERRORS = (HydraException, OmegaConfBaseException)
"""What Hydra raises where a configuration cannot be composed."""


def register() -> None:
    """Tell Hydra the knobs and their defaults: `ltr`, which config.yaml starts from.

    Every arm is among them, except one whose file is wrong: `experiment_of` says so if it is asked for.
    `${expanduser:...}` is a path with the home folder for `~`.
    """
    OmegaConf.register_new_resolver("expanduser", os.path.expanduser, replace=True)
    arms = {name: to_dict(Arm()) | values for name, values in files.arms().items()}
    ConfigStore.instance().store(name="ltr", node=to_dict(Experiment()) | {ARM: arms})


def experiment_of(composed: DictConfig) -> Experiment:
    """The validated experiment of what Hydra composed, as it will run; ConfigError otherwise."""
    try:
        values = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).partition(chr(10))[0]}") from None
    experiment = parse(values)  # type: ignore[arg-type]
    files.check_arms(experiment.arms, experiment.arm)
    names.require_known(experiment)
    experiment = names.with_options(experiment)
    checks.check(experiment)
    from ltr.data import custom  # which imports NumPy: what is wrong is said before

    pinned = dataclasses.replace(experiment, dataset=custom.pinned(experiment.dataset))
    if experiment.ticket is None:
        return pinned
    from ltr.experiment import transfer  # which imports JAX

    return transfer.resolved(pinned)


def from_words(words: Sequence[str]) -> Experiment:
    """The experiment that `ltr run` with these words would run; ConfigError otherwise."""
    return from_overrides(overrides(words))


def from_overrides(checked: Sequence[str]) -> Experiment:
    """The experiment of words that `ltr.config.overrides.overrides` gave; ConfigError if there is none."""
    register()
    try:
        with initialize_config_dir(str(groups.config_dir().absolute()), version_base="1.3"):
            return experiment_of(compose("config", [*checked]))
    except ERRORS as error:
        raise ConfigError(one_line(error)) from None


def one_line(error: Exception) -> str:
    """What Hydra says, on one line."""
    return " ".join(str(error).split())
