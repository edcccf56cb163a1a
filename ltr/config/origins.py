"""Origins of an experiment's parts: plug-ins and the user's folders."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr import plugins
from ltr.config import folders
from ltr.config.overrides import sources
from ltr.config.schema import Experiment
from ltr.config.walk import by_name, registry_of


class Request(NamedTuple):
    """Command that runs an experiment, and the packages that it needs.

    Attributes:
        words: words after `ltr run`, with options for the user's folders whose files are used.
        plugins: versions of the plug-ins that are used, by package.
    """

    words: Sequence[str]
    plugins: Mapping[str, str]


UNKNOWN = Request((), {})
"""Request of a run that no command started."""


def request(experiment: Experiment, words: Sequence[str]) -> Request:
    """Return the request of an experiment that is given by `key=value` words."""
    files = sources(words, experiment.arms)
    return Request([*folders.options(files), *words], _plugins_used(experiment, files))


def _plugins_used(experiment: Experiment, files: Collection[Path]) -> dict[str, str]:
    """Return the versions of the plug-ins whose entries or YAML files an experiment uses, by package."""
    named = _distributions(experiment)
    return {
        plugin.distribution: plugin.version
        for plugin in plugins.installed()
        if str(plugin) in named
        or (plugin.configs and any(file.is_relative_to(plugin.configs) for file in files))
    }


def _distributions(experiment: Experiment) -> set[str]:
    """Return the packages whose entries an experiment names; of its arms, only requested ones count."""
    distributions = set()
    for knob, value, hint in by_name(experiment):
        is_requested = not knob.startswith("arm.") or knob.split(".")[1] in experiment.arms
        if is_requested and (registry := registry_of(hint)) is not None:
            names = value if isinstance(value, list) else [value]
            distributions |= {registry[name].distribution for name in names}
    return distributions
