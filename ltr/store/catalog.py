"""A read-only view of the run folders below an output root."""

import contextlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ltr.errors import ConfigError, LtrError

INFO = "run.json"
CONFIG = "config.yaml"
LOCK = ".lock"
DAMAGED, FINISHED = "damaged", "finished"


class Run:
    """A run folder and what its `run.json` says.

    Raises OSError where there is none, or none that may be read.

    Attributes:
        folder: the run folder, `<dataset>-<model>-<id>`.
        info: what `run.json` holds; of `status`, see there.
        written: when that was written last.
        dataset, model, id: of the folder's name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written, self.info = _info(f"{folder}/{INFO}")
        self.dataset, self.model, self.id = ["", "", *folder.name.rsplit("-", 2)][-3:]

    @cached_property
    def status(self) -> str:
        """`running`, `finished`, `stopped`, `failed`, `crashed` or `damaged`.

        It crashed if it says that it is running, but no process holds its lock. It is damaged if
        `run.json` cannot be read.
        """
        said = str(self.info["status"])
        return "crashed" if said == "running" and not _is_locked(self.folder / LOCK) else said

    @property
    def goes_on_with(self) -> str | None:
        """The command that a run needs to finish; None if it needs none, or was not told it."""
        sessions = self.info.get("sessions") or [{}]
        return None if self.status in ("running", "finished") else sessions[-1].get("command")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The knobs beyond their defaults, by dotted name; LtrError if they cannot be read."""
        if "settings" in self.info:
            return dict(self.info["settings"])
        from ltr.config.parse import parse
        from ltr.store.settings import settings

        return settings(parse(self.config))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, read when it is first asked for; LtrError if it cannot be."""
        import yaml

        path = self.folder / CONFIG
        try:
            config = yaml.safe_load(path.read_text())
        except (OSError, ValueError, yaml.YAMLError):
            config = None
        if not isinstance(config, dict):
            raise LtrError(f"{path}: not there, or not a configuration")
        return config


def all_runs(output_root: Path) -> list[Run]:
    """Every run below `output_root`, the most recently written first; none where there is no such folder."""
    runs = []
    for folder in output_root.iterdir() if output_root.is_dir() else ():
        with contextlib.suppress(OSError):  # not a run, or nobody's business
            runs.append(Run(folder))
    return sorted(runs, key=lambda run: (-run.written.timestamp(), run.folder.name))


def find(output_root: Path, name: str) -> Run:
    """The run of that name.

    Args:
        output_root: where run folders are.
        name: a path to a run folder, a folder's name, an id, the beginning of an id or else of a name
            that only one has, or `last` for the run written most recently.

    Raises:
        ConfigError: no run has that name, or more than one.
    """
    if ((path := Path(name).expanduser()) / INFO).is_file():
        return Run(path)
    folders = _folders(output_root)
    if name == "last":
        found = sorted(folders, key=lambda folder: (-(folder / INFO).stat().st_mtime_ns, folder.name))[:1]
    else:
        exact = [folder for folder in folders if folder.name == name]
        by_id = [folder for folder in folders if folder.name.rsplit("-", 1)[-1].startswith(name)]
        found = exact or by_id or [folder for folder in folders if folder.name.startswith(name)]
    if not found and not output_root.is_dir():
        raise ConfigError(f"{name}: no such run; there is no folder {output_root}")
    if not found:
        raise ConfigError(f"{name}: no run of that name in {output_root}; ltr ls lists them")
    if len(found) > 1:
        names = ", ".join(sorted(folder.name for folder in found))
        raise ConfigError(f"{name}: the beginning of more than one run in {output_root}: {names}")
    return Run(found[0])


def require_different(names: Sequence[str], folders: Sequence[Path]) -> None:
    """ConfigError if two names are of the same run folder."""
    seen: dict[Path, str] = {}
    for name, folder in zip(names, folders, strict=True):
        if other := seen.get(folder.resolve()):
            raise ConfigError(f"{other}, {name}: both are {folder}; name different runs")
        seen[folder.resolve()] = name


def _folders(output_root: Path) -> list[Path]:
    """The run folders, in no order."""
    return [path.parent for path in output_root.glob(f"*/{INFO}")]


def _is_locked(lock: Path) -> bool:
    """Whether a process writes the run; True too where that cannot be told."""
    from filelock import FileLock, Timeout

    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _info(file: str) -> tuple[datetime, dict[str, Any]]:
    """When it was written, and what it says; of thousands of runs, hence by the shortest way."""
    with open(file, "rb") as opened:  # noqa: PTH123
        written = datetime.fromtimestamp(os.fstat(opened.fileno()).st_mtime, UTC)
        try:
            info = json.loads(opened.read())
        except ValueError:
            info = None
    return written, info if isinstance(info, dict) and "status" in info else {"status": DAMAGED}
