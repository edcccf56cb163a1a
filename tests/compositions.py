"""Compositions of words that tests share: one by Hydra takes as long as most of the tests."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig

from ltr.config import groups
from ltr.experiment import compose

Compose = Callable[[str, Sequence[str]], DictConfig]
"""Composes a configuration file and words, as `hydra.compose` does."""


def compose_once() -> Compose:
    """Return a `compose` that composes nothing twice while files and defaults of knobs stay the same."""
    by_hydra = compose.compose
    found: dict[Any, tuple[ConfigNode, bytes]] = {}

    def once(name: str, words: Sequence[str]) -> DictConfig:
        defaults = ConfigStore.instance().repo["ltr.yaml"]
        key = (name, *words, id(defaults), *_files())
        if key not in found:
            found[key] = defaults, pickle.dumps(by_hydra(name, [*words]))
        composed: DictConfig = pickle.loads(found[key][1])
        return composed

    return once


def _files() -> Iterator[tuple[Path, int]]:
    """Yield the files of which Hydra composes, and when each was changed."""
    for folder in (groups.config_dir(), *groups.added_dirs()):
        for file in folder.rglob("*.yaml"):
            yield file, file.stat().st_mtime_ns
