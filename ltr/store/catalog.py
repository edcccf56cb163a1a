"""Read-only view of the run folders below an output root."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.addresses import address_of, local
from ltr.errors import ConfigError, LtrError
from ltr.plugins import lacking
from ltr.store import fetching, sealed_text
from ltr.store.damage import DAMAGED, MISSING, DamageError
from ltr.store.lock import is_locked

if TYPE_CHECKING:
    from ltr.config.schema import Experiment

INFO = "run.json"
CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
"""Statuses that are written to `run.json`."""

CRASHED = "crashed"
"""Status that is seen from outside, like `DAMAGED`."""

UNKNOWN_COMMAND = "the command of the run"

SCHEMA_VERSION = 5
"""Version of the format of run folders; it rises when the meaning of the contents changes.

Since 5, lanes without a result have rows in the tables (see `ltr.store.chains`). Since 4, `flops` of the
results table count exactly the products. Before, they included an overhead of the dense network, except in
convolutional networks. Since 4, the connectivity table has a column `statistics`.
"""

SAME_DEFINITIONS = 4
"""First version from which on lanes are trained and measured as now."""

Parse = Callable[[bytes], Any]
"""Parser of a `run.json`, all of it or a part; ValueError if it is damaged."""


class Run:
    """Run folder and the content of its `run.json`.

    Args:
        folder: path of the run folder.
        parse: parser of `run.json`; its result is `info`.

    Raises:
        OSError: there is neither `run.json` nor `config.yaml`, or `run.json` may not be read.

    Attributes:
        folder: path of the run folder, `<dataset>-<model>-<id>`.
        info: content of `run.json`; its `status` may be out of date, unlike the property.
        written: time of the last change of `run.json`.
        dataset, model, id: parts of the folder's name.
    """

    def __init__(self, folder: Path, parse: Parse = sealed_text.from_json) -> None:
        self.folder = folder
        self.written, self.info = _info(folder, parse)
        self.dataset, self.model, self.id = ["", "", *folder.name.rsplit("-", 2)][-3:]

    @cached_property
    def status(self) -> str:
        """One of `running`, `finished`, `stopped`, `failed`, `crashed` and `damaged`.

        A run crashed if it is marked as running, but no process holds its lock. It is damaged if `run.json`
        is missing or cannot be read.
        """
        status = str(self.info["status"])
        return CRASHED if status == RUNNING and not is_locked(self.folder) else status

    @property
    def command(self) -> str | None:
        """Command of the last session; None if unknown."""
        return self._session.get("command")

    @property
    def error(self) -> str | None:
        """Error that the last session failed by; None if it did not fail, or its error is unknown."""
        return self.info.get("error")

    @property
    def resume_command(self) -> str | None:
        """Command that resumes an unfinished run; None if it needs none, or could not resume it here."""
        return None if self._needs_none or self.obstacle else self.command

    @property
    def obstacle(self) -> str | None:
        """Plug-in that is missing to resume an unfinished run; None if none is, or the run needs none."""
        return None if self._needs_none else lacking(self.plugins) or None

    @property
    def _needs_none(self) -> bool:
        return self.status in (RUNNING, FINISHED)

    @property
    def _session(self) -> dict[str, Any]:
        """Last session; empty if there is none."""
        return dict((self.info.get("sessions") or [{}])[-1])

    @property
    def damage(self) -> DamageError | None:
        """Error of a missing or damaged `run.json`; None if it is whole."""
        if self.info["status"] != DAMAGED:
            return None
        path = self.folder / INFO
        again = f"{UNKNOWN_COMMAND} writes it anew and trains no lane again"
        return DamageError(
            path,
            DAMAGED if path.exists() else MISSING,
            "the commands of the run and its arithmetic",
            f"restore it from a copy, or {again}",
        )

    def require_readable(self) -> None:
        """Raise DamageError if `run.json` is damaged, LtrError if it is of a later version of ltr."""
        path = self.folder / INFO
        if self.damage:
            raise self.damage
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
        """Version and commit of ltr that wrote the last session."""
        versions = self._session.get("versions")
        version = versions.get("ltr") if isinstance(versions, dict) else None
        return f"ltr {version or 'of an unknown version'}, commit {self._session.get('commit', 'unknown')}"

    def experiment(self) -> "Experiment":
        """Return the configuration of the run; LtrError, with a remedy, if it cannot be read or understood.

        `output_root` is the present parent folder, as the run may have been moved. `data_dir` is null, as a
        run of somebody else must not say where to write.
        """
        from ltr.config.parse import parse

        self.require_readable()
        try:
            return parse({**self.config, "output_root": str(self.folder.parent), "data_dir": None})
        except ConfigError as error:
            remedy = f"install the version that wrote it ({self._written_by})"
            raise LtrError(f"{self.folder / CONFIG}: {error}; {remedy}") from None

    @property
    def plugins(self) -> dict[str, set[str]]:
        """Versions of the plug-ins that its sessions used, by package."""
        return plugins(self.info)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Knobs that are not at their default, by dotted name; LtrError if they cannot be read."""
        if "settings" in self.info:
            return dict(self.info["settings"])
        from ltr.config.parse import parse
        from ltr.store.settings import settings

        return settings(parse(self.config))

    @cached_property
    def config(self) -> dict[str, Any]:
        """Resolved configuration, read on first use; DamageError if it cannot be read."""
        path = self.folder / CONFIG
        try:
            config = sealed_text.from_yaml(path.read_bytes())
        except (OSError, ValueError):
            config = None
        if not isinstance(config, dict):
            raise DamageError(
                path,
                DAMAGED if path.exists() else MISSING,
                "the configuration, with all that earlier commands requested",
                f"restore it from a copy, or {command(self.folder)} writes it anew and trains no lane again",
            )
        return config


def command(folder: Path) -> str:
    """Return the command of a run's last session, `UNKNOWN_COMMAND` if it is lost."""
    with contextlib.suppress(OSError):
        return Run(folder).command or UNKNOWN_COMMAND
    return UNKNOWN_COMMAND


def lanes(folder: Path) -> int:
    """Return the number of lanes that a run had when its last session ended, 0 if that is unknown."""
    with contextlib.suppress(OSError, TypeError, ValueError):
        return int((Run(folder).info.get("summary") or {}).get("lanes", 0))
    return 0


def looks(folder: Path) -> int:
    """Return the number of looks that were taken at a run, 0 if that is unknown."""
    with contextlib.suppress(OSError, TypeError, ValueError):
        return int(Run(folder).info.get("looks", 0))
    return 0


def plugins(info: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the versions of the plug-ins in the content of a `run.json`, by package."""
    versions: dict[str, set[str]] = {}
    for session in info.get("sessions") or []:
        for name, version in session.get("plugins", {}).items():
            versions.setdefault(name, set()).add(version)
    return versions


def all_runs(output_root: Path) -> list[Run]:
    """Return every run below `output_root`, most recently written first; none if the folder is missing."""
    return sorted(each_run(output_root), key=recency)


def each_run(output_root: Path, parse: Parse = sealed_text.from_json) -> Iterator[Run]:
    """Yield every run below `output_root`, unordered; who keeps few of their facts needs little memory."""
    fetching.fetch_first(folders := fetching.folders(output_root), INFO, CONFIG)
    for folder in folders:
        with contextlib.suppress(OSError):  # not a run, or not readable
            yield Run(folder, parse)


def recency(run: Run) -> tuple[float, str]:
    """Return a sort key by which the most recently written run comes first."""
    return -run.written.timestamp(), run.folder.name


def read(folder: Path) -> Run:
    """Return the run of a folder, whose files are fetched first; raises as `Run` does."""
    fetching.fetch(folder)
    return Run(folder)


def find(output_root: Path, name: str) -> Run:
    """Return the run of a name.

    Args:
        output_root: folder of the run folders.
        name: path or name of a run folder, an id, a unique beginning of an id or else of a name, or `last`
            for the most recently written run.

    Raises:
        ConfigError: no run has this name, or several have.
    """
    path = local(name).expanduser()
    fetching.fetch(path)
    if any((path / file).is_file() for file in (INFO, CONFIG)):
        return Run(path)
    folders = fetching.folders(output_root)
    if name == "last":
        found = _of_runs(folders)
        matches = sorted(found, key=lambda folder: (-_written(folder).st_mtime_ns, folder.name))[:1]
    else:
        exact = _of_runs([folder for folder in folders if folder.name == name])
        by_id = _of_runs([folder for folder in folders if folder.name.rsplit("-", 1)[-1].startswith(name)])
        matches = exact or by_id or _of_runs([folder for folder in folders if folder.name.startswith(name)])
    if not matches and address_of(output_root) is None and not output_root.is_dir():
        raise ConfigError(f"{name}: no such run; there is no folder {output_root}")
    if not matches:
        raise ConfigError(f"{name}: no run of that name in {output_root}; ltr ls lists them")
    if len(matches) > 1:
        names = ", ".join(sorted(folder.name for folder in matches))
        raise ConfigError(f"{name}: the beginning of more than one run in {output_root}: {names}")
    return read(matches[0])


def require_different(names: Sequence[str], folders: Sequence[Path]) -> None:
    """Raise ConfigError if two names are of the same run folder."""
    seen: dict[Path, str] = {}
    for name, folder in zip(names, folders, strict=True):
        if other := seen.get(folder.resolve()):
            raise ConfigError(f"{other}, {name}: both name {folder}; name different runs")
        seen[folder.resolve()] = name


def _of_runs(folders: Sequence[Path]) -> list[Path]:
    """Return those of the folders that are run folders."""
    fetching.fetch_first(folders, INFO, CONFIG)
    return [folder for folder in folders if any((folder / file).exists() for file in (INFO, CONFIG))]


def _info(folder: Path, parse: Parse) -> tuple[datetime, dict[str, Any]]:
    """Return the time and content of a `run.json`, fast enough for thousands of runs."""
    info: Any = None
    try:
        with open(f"{folder}/{INFO}", "rb", buffering=0) as opened:  # noqa: PTH123
            written = os.fstat(opened.fileno())
            with contextlib.suppress(ValueError):
                info = parse(opened.read())
    except FileNotFoundError:
        written = _written(folder)
    time = datetime.fromtimestamp(written.st_mtime, UTC)
    return time, info if _describes_a_run(info) else {"status": DAMAGED}


def _written(folder: Path) -> os.stat_result:
    """Return what the file system says of `run.json`, or of `config.yaml` if it is lost."""
    try:
        return os.stat(f"{folder}/{INFO}")  # noqa: PTH116
    except FileNotFoundError:
        return os.stat(f"{folder}/{CONFIG}")  # noqa: PTH116


def _describes_a_run(info: Any) -> bool:
    """Return whether the content of a `run.json` has the form that ltr writes."""
    if not isinstance(info, dict) or not isinstance(info.get("status"), str):
        return False
    sessions = info.get("sessions", [])
    are_sessions = isinstance(sessions, list) and all(isinstance(session, dict) for session in sessions)
    return are_sessions and all(isinstance(info.get(name) or {}, dict) for name in ("summary", "settings"))
