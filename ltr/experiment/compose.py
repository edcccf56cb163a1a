"""Composition of words to a validated `Experiment`; objects of Hydra and OmegaConf stay in here."""

import contextlib
import dataclasses
import functools
import json
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigNode, ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ltr.config import files, groups, names
from ltr.config.groups import ARM
from ltr.config.overrides import overrides, typed_word
from ltr.config.parse import parse
from ltr.config.schema import Arm, Experiment, to_dict
from ltr.errors import ConfigError, reason
from ltr.experiment import checks, source_run
from ltr.faults import is_known

_ONE_APPLICATION = threading.Lock()

ERRORS = (HydraException, OmegaConfBaseException)
"""Exceptions of Hydra and OmegaConf for a configuration that cannot be composed."""


class AddedFolders(SearchPathPlugin):
    """Hydra plug-in that appends the folders of ltr's plug-ins and of the user to the search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folders. Hydra calls this."""
        for folder in groups.added_dirs():
            search_path.append("ltr", f"file://{folder}")


def register() -> None:
    """Register with Hydra the search path, and the defaults of all knobs as `ltr`, the base of config.yaml.

    Every arm is included, except one whose file is wrong; `experiment_of` reports that file if the arm is
    requested.
    """
    Plugins.instance().register(AddedFolders)
    arms = {name: to_dict(Arm()) | values for name, values in files.arms().items()}
    base = _base(json.dumps(to_dict(Experiment()) | {ARM: arms}))
    ConfigStore.instance().repo[base.name] = base


class _Shared(ConfigNode):
    """Node that copies of Hydra's store share; Hydra copies the store at each composition."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class _Pickled:
    """Configuration as bytes, from which a copy is made eight times as fast; Hydra copies what it loads."""

    def __init__(self, config: DictConfig) -> None:
        self._bytes = pickle.dumps(config)

    def __deepcopy__(self, memo: dict[int, Any]) -> DictConfig:
        config: DictConfig = pickle.loads(self._bytes)  # noqa: S301, its own bytes
        return config


@functools.lru_cache(maxsize=1)
def _base(values: str) -> ConfigNode:
    """Return the node of Hydra's store for values in JSON, once while they stay as they are."""
    node: Any = _Pickled(OmegaConf.create(json.loads(values)))
    return _Shared("ltr.yaml", node, group=None, package=None, provider=None)


def experiment_of(composed: DictConfig) -> Experiment:
    """Return the validated experiment of a configuration composed by Hydra; ConfigError if it is invalid."""
    try:
        values = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {reason(error)}") from None
    experiment = parse(values)  # type: ignore[arg-type]
    files.check_arms(experiment.arms, experiment.arm)
    names.require_known(experiment)
    experiment = names.with_options(experiment)
    checks.check(experiment)
    experiment = source_run.resolved(experiment)
    from ltr.data import custom  # imports NumPy; errors of the configuration come first

    return dataclasses.replace(experiment, dataset=custom.pinned(experiment.dataset))


def from_words(words: Sequence[str]) -> Experiment:
    """Return the experiment that `ltr run` with these words would run; ConfigError if it is invalid."""
    return from_overrides(overrides(words))


def from_overrides(checked: Sequence[str]) -> Experiment:
    """Return the experiment of words checked by `ltr.config.overrides.overrides`; ConfigError if invalid."""
    return experiment_of(composed(checked))


def composed(checked: Sequence[str]) -> DictConfig:
    """Return the configuration that Hydra composes of checked words; ConfigError if it cannot."""
    register()
    try:
        with _no_other_application(), _initialized():
            return compose("config", [*checked])
    except ERRORS as error:
        raise ConfigError(one_line(error)) from None


def run(checked: Sequence[str], job: Callable[[DictConfig], None]) -> None:
    """Call a job with the configuration of checked words, in the environment that they request of Hydra.

    Raises:
        ConfigError: Hydra cannot compose the words.
        Exception: the job failed.
    """
    failures: list[Exception] = []

    def caught(composed: DictConfig) -> None:
        try:
            job(composed)
        except Exception as error:
            if not is_known(error):
                raise
            failures.append(error)  # Hydra would print its words

    with application() as hydra:
        hydra.run("config", caught, [*checked, "hydra.mode=RUN"])  # whatever the mode in a YAML file
    if failures:
        raise failures[0]


def show(checked: Sequence[str], part: str) -> None:
    """Print the configuration of checked words: the experiment (`job`), Hydra's own (`hydra`) or `all`."""
    with application() as hydra:
        hydra.show_cfg("config", [*checked], cfg_type=part, package=None)


def repeatable(checked: Sequence[str], ticket: str | None, experiment: Experiment) -> list[str]:
    """Return the words to type for the same experiment at any later time.

    Args:
        checked: result of `ltr.config.overrides.overrides`.
        ticket: ticket as typed, which may be `last`.
        experiment: experiment of these words, with the ticket named in full.
    """
    typed = [typed_word(word) for word in checked if not word.startswith("hosts.")]
    if experiment.ticket == ticket:
        return typed
    return [*(word for word in typed if not word.startswith("ticket=")), f"ticket={experiment.ticket}"]


def _initialized() -> initialize_config_dir:
    return initialize_config_dir(str(groups.config_dir().absolute()), version_base="1.3")


@contextlib.contextmanager
def application() -> Iterator[Any]:
    """Yield Hydra's application of ltr's configuration; ConfigError for what Hydra refuses."""
    register()
    try:
        with _initialized():
            yield GlobalHydra.instance().hydra
    except ERRORS as error:
        raise ConfigError(one_line(error)) from None


@contextlib.contextmanager
def _no_other_application() -> Iterator[None]:
    """Suspend the program's own use of Hydra, which allows one application per process."""
    with _ONE_APPLICATION:
        instance = GlobalHydra.instance()
        before = instance.hydra
        instance.clear()
        try:
            yield
        finally:
            GlobalHydra.instance().hydra = before


def one_line(error: Exception) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split())
