"""From words on the command line to a validated `Experiment`; Hydra and OmegaConf stop here."""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator, Sequence

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ltr.config import files, groups, names
from ltr.config.groups import ARM
from ltr.config.overrides import as_a_person_types, overrides
from ltr.config.parse import parse
from ltr.config.schema import Arm, Experiment, to_dict
from ltr.errors import ConfigError
from ltr.experiment import checks

_ONE_APPLICATION = threading.Lock()

ERRORS = (HydraException, OmegaConfBaseException)
"""What Hydra raises where a configuration cannot be composed."""


class AddedFolders(SearchPathPlugin):
    """Lets Hydra find the YAML files of folders that join ltr's, behind ltr's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folders; called by Hydra."""
        for folder in groups.added_dirs():
            search_path.append("ltr", f"file://{folder}")


def register() -> None:
    """Tell Hydra where YAML files are, the knobs and their defaults: `ltr`, which config.yaml starts from.

    Every arm is among them, except one whose file is wrong: `experiment_of` says so if it is asked for.
    `${expanduser:...}` is a path with the home folder for `~`.
    """
    Plugins.instance().register(AddedFolders)
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
    return experiment_of(composed(checked))


def composed(checked: Sequence[str]) -> DictConfig:
    """Return what Hydra composes of checked words; ConfigError if it cannot."""
    register()
    try:
        with _no_other_application(), _initialized():
            return compose("config", [*checked])
    except ERRORS as error:
        raise ConfigError(one_line(error)) from None


def repeatable(checked: Sequence[str], ticket: str | None, experiment: Experiment) -> list[str]:
    """Return words as a person types them, by which the same experiment is asked for at any time.

    Args:
        checked: what `ltr.config.overrides.overrides` gave.
        ticket: what they asked for, which may be `last`.
        experiment: what they come to, whose ticket is named in full.
    """
    typed = [as_a_person_types(word) for word in checked]
    if experiment.ticket == ticket:
        return typed
    return [*(word for word in typed if not word.startswith("ticket=")), f"ticket={experiment.ticket}"]


def _initialized() -> initialize_config_dir:
    return initialize_config_dir(str(groups.config_dir().absolute()), version_base="1.3")


@contextlib.contextmanager
def _no_other_application() -> Iterator[None]:
    """Put the program's own use of Hydra aside: there is room for one application in a process."""
    with _ONE_APPLICATION:
        instance = GlobalHydra.instance()
        before = instance.hydra
        instance.clear()
        try:
            yield
        finally:
            GlobalHydra.instance().hydra = before


def one_line(error: Exception) -> str:
    """What Hydra says, on one line."""
    return " ".join(str(error).split())
