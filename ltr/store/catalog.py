"""A read-only view of the run folders below an output root."""

import contextlib
import json
import os
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.errors import ConfigError, LtrError

if TYPE_CHECKING:
    from ltr.config.schema import Experiment

INFO = "run.json"
CONFIG = "config.yaml"
LOCK = ".lock"
DAMAGED, FINISHED = "damaged", "finished"

SCHEMA_VERSION = 4
"""Of run folders; another one where what they hold means something else.

4: `flops` of the results table are those of products alone, exactly; before, an overhead of the dense network
was added, but in convolutional networks. The connectivity table has a column `statistics`.
"""


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
    def command(self) -> str | None:
        """The command of the last session; None where that is not known."""
        return self._session.get("command")

    @property
    def goes_on_with(self) -> str | None:
        """The command that a run needs to finish; None if it needs none, or was not told it."""
        return None if self.status in ("running", "finished") else self.command

    @property
    def _session(self) -> dict[str, Any]:
        """The last session; empty where there is none."""
        return dict((self.info.get("sessions") or [{}])[-1])

    def require_readable(self) -> None:
        """LtrError, which says what to do, where `run.json` is damaged or of a later version of ltr."""
        path = self.folder / INFO
        if self.status == DAMAGED:
            raise LtrError(f"{path}: damaged; the command of the run, typed again, writes it anew")
        version = self.info.get("schema_version", SCHEMA_VERSION)
        if not isinstance(version, int):
            raise LtrError(
                f"{path}: schema_version={version}: must be a whole number; restore it from a copy"
            )
        if version > SCHEMA_VERSION:
            raise LtrError(
                f"{path}: schema version {version}, and this ltr reads up to {SCHEMA_VERSION}; install the "
                f"version that wrote it ({self._written_by}) or a later one"
            )

    @property
    def _written_by(self) -> str:
        """The version and the commit of ltr that wrote the last session."""
        versions = self._session.get("versions")
        version = versions.get("ltr") if isinstance(versions, dict) else None
        return f"ltr {version or 'of an unknown version'}, commit {self._session.get('commit', 'unknown')}"

    def experiment(self) -> "Experiment":
        """What the run was asked for; LtrError, which says what to do, where that cannot be read.

        Its output root is where the folder is now: it may have been moved.
        """
        from ltr.config.parse import parse

        self.require_readable()
        try:
            return parse({**self.config, "output_root": str(self.folder.parent)})
        except ConfigError as error:
            remedy = f"install the version that wrote it ({self._written_by})"
            raise LtrError(f"{self.folder / CONFIG}: {error}; {remedy}") from None

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
            remedy = "the command of the run, typed again, writes it anew"
            raise LtrError(f"{path}: not there, or not a configuration; {remedy}")
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
    return written, info if _describes_a_run(info) else {"status": DAMAGED}


def _describes_a_run(info: Any) -> bool:
    """Whether what a `run.json` holds is of the form that ltr writes."""
    if not isinstance(info, dict) or not isinstance(info.get("status"), str):
        return False
    sessions = info.get("sessions", [])
    is_form = isinstance(sessions, list) and all(isinstance(session, dict) for session in sessions)
    return is_form and all(isinstance(info.get(name) or {}, dict) for name in ("summary", "settings"))
