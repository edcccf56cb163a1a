"""Folders of YAML files of one's own, which join the config groups beside ltr's.

`LTR_CONFIG_DIR` names them. `--config-dir` sets it for one command and the processes that the command
starts, so that the jobs of a sweep find the same files.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ltr.errors import ConfigError

OPTION, VARIABLE = "--config-dir", "LTR_CONFIG_DIR"


def own() -> list[Path]:
    """The folders of one's own, absolute, each once; ConfigError if one of them is not there."""
    named = [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    folders = [Path(name).expanduser().resolve() for name in named]
    for name, folder in zip(named, folders, strict=True):
        if not folder.is_dir():
            raise ConfigError(f"{VARIABLE}={name}: no such folder")
    return list(dict.fromkeys(folders))


@contextlib.contextmanager
def joined(folders: Sequence[Path]) -> Iterator[None]:
    """Let folders join those of `LTR_CONFIG_DIR`, here and in processes that are started meanwhile.

    Raises:
        ConfigError: the name of a folder holds the sign that parts folders in `LTR_CONFIG_DIR`.
    """
    for folder in folders:
        if os.pathsep in str(folder):
            raise ConfigError(f"{OPTION}={folder}: a folder with {os.pathsep} in its name cannot be used")
    if not folders:
        yield
        return
    before = os.environ.get(VARIABLE)
    named = [str(folder.expanduser().resolve()) for folder in folders]
    os.environ[VARIABLE] = os.pathsep.join([*named, *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def options(used: Iterable[Path]) -> list[str]:
    """The options by which a command finds the files of one's own among those it uses."""
    files = list(used)
    return [f"{OPTION}={folder}" for folder in own() if any(file.is_relative_to(folder) for file in files)]
