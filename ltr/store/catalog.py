"""A read-only view of the run folders below an output root."""

import json
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ltr.errors import ConfigError, LtrError

INFO = "run.json"
CONFIG = "config.yaml"
DAMAGED = "damaged"


class Run:
    """A run folder and what its `run.json` says; `status` is `damaged` where that cannot be read.

    Attributes:
        folder: the run folder, `<dataset>-<model>-<id>`.
        info: `status` and what else `run.json` holds.
        written: when that was written last.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = _info(folder)
        self.written = datetime.fromtimestamp((folder / INFO).stat().st_mtime, UTC)

    @property
    def id(self) -> str:
        return self._names[2]

    @property
    def dataset(self) -> str:
        return self._names[0]

    @property
    def model(self) -> str:
        return self._names[1]

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

    @property
    def _names(self) -> tuple[str, str, str]:
        dataset, model, id = ["", "", *self.folder.name.rsplit("-", 2)][-3:]
        return dataset, model, id


def all_runs(output_root: Path) -> list[Run]:
    """Every run below `output_root`, the most recently written first; none where there is no such folder."""
    return [Run(folder) for folder in _folders(output_root)]


def find(output_root: Path, name: str) -> Run:
    """The run of that name.

    Args:
        output_root: where run folders are.
        name: a path to a run folder, a folder's name, an id or the beginning of only one, or
            `last` for the run written most recently.

    Raises:
        ConfigError: no run has that name, or more than one.
    """
    if (Path(name) / INFO).is_file():
        return Run(Path(name))
    folders = _folders(output_root)
    if name == "last":
        found = folders[:1]
    else:
        exact = [folder for folder in folders if folder.name == name]
        found = exact or [folder for folder in folders if folder.name.rsplit("-", 1)[-1].startswith(name)]
    if not found:
        raise ConfigError(f"{name}: no run of that name in {output_root}; ltr ls lists them")
    if len(found) > 1:
        names = ", ".join(sorted(folder.name for folder in found))
        raise ConfigError(f"{name}: the beginning of more than one run in {output_root}: {names}")
    return Run(found[0])


def _folders(output_root: Path) -> list[Path]:
    """The run folders, the most recently written first; equally old ones by name."""
    written = {path.parent: path.stat().st_mtime_ns for path in output_root.glob(f"*/{INFO}")}
    return sorted(written, key=lambda folder: (-written[folder], folder.name))


def _info(folder: Path) -> dict[str, Any]:
    try:
        info = json.loads((folder / INFO).read_bytes())
    except (OSError, ValueError):
        info = None
    return info if isinstance(info, dict) and "status" in info else {"status": DAMAGED}
