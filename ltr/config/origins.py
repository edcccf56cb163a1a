"""Where what an experiment is made of comes from: plug-ins, and folders of one's own."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr import plugins
from ltr.config import folders
from ltr.config.overrides import sources
from ltr.config.schema import Experiment
from ltr.config.walk import by_name, registry_of


class Request(NamedTuple):
    """The command that asks for an experiment, and the packages that it needs.

    Attributes:
        words: what to type after `ltr run`, with the folders of one's own whose files it uses.
        plugins: versions of the plug-ins that it uses, by package.
    """

    words: Sequence[str]
    plugins: Mapping[str, str]


UNKNOWN = Request((), {})
"""Of a run that no command asked for."""


def request(experiment: Experiment, words: Sequence[str]) -> Request:
    """Return how an experiment is asked for by `key=value` words."""
    files = sources(words, experiment.arms)
    return Request([*folders.options(files), *words], _plugins_used(experiment, files))


def _plugins_used(experiment: Experiment, files: Collection[Path]) -> dict[str, str]:
    """The versions of the plug-ins whose entries an experiment names, or whose YAML files it is made of."""
    named = _distributions(experiment)
    return {
        one.distribution: one.version
        for one in plugins.installed()
        if str(one) in named or (one.configs and any(file.is_relative_to(one.configs) for file in files))
    }


def _distributions(experiment: Experiment) -> set[str]:
    """The packages whose entries an experiment names; of its arms, those that are asked for."""
    found = set()
    for knob, value, hint in by_name(experiment):
        is_asked = not knob.startswith("arm.") or knob.split(".")[1] in experiment.arms
        if is_asked and (registry := registry_of(hint)) is not None:
            names = value if isinstance(value, list) else [value]
            found |= {registry[name].distribution for name in names}
    return found
