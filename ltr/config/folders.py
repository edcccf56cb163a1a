"""The user's folders of YAML files, which are added to ltr's config groups.

`LTR_CONFIG_DIR` names them. `--config-dir` sets it for one command and the processes that the command
starts, because the jobs of a sweep need the same files.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ltr.errors import ConfigError

OPTION, VARIABLE = "--config-dir", "LTR_CONFIG_DIR"


def own() -> list[Path]:
    """Return the user's folders as absolute paths without repeats; ConfigError if one does not exist."""
    names = [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    folders = [Path(name).expanduser().resolve() for name in names]
    for name, folder in zip(names, folders, strict=True):
        if not folder.is_dir():
            raise ConfigError(f"{VARIABLE}={name}: no such folder")
    return list(dict.fromkeys(folders))


@contextlib.contextmanager
def joined(folders: Sequence[Path]) -> Iterator[None]:
    """Add folders to `LTR_CONFIG_DIR`, for this process and those that it starts meanwhile.

    Raises:
        ConfigError: a folder's name holds the separator of `LTR_CONFIG_DIR`.
    """
    for folder in folders:
        if os.pathsep in str(folder):
            raise ConfigError(f"{OPTION}={folder}: a folder with {os.pathsep} in its name cannot be used")
    if not folders:
        yield
        return
    before = os.environ.get(VARIABLE)
    names = [str(folder.expanduser().resolve()) for folder in folders]
    os.environ[VARIABLE] = os.pathsep.join([*names, *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def options(used: Iterable[Path]) -> list[str]:
    """Return an option for each of the user's folders that holds one of the used files."""
    files = list(used)
    return [f"{OPTION}={folder}" for folder in own() if any(file.is_relative_to(folder) for file in files)]
