"""Folder of one run, open for writing by one process.

A round is committed by writing `results.parquet`, the last of its files. Lanes that this table does not
list are trained again.
"""

import contextlib
import functools
import json
import logging
import platform
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import yaml
from filelock import FileLock, Timeout

from ltr.config.literals import literal
from ltr.config.origins import UNKNOWN, Request
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.core import atomic, machine
from ltr.errors import ConfigError, LtrError
from ltr.store import catalog, checkpoints, looks, tables
from ltr.store.catalog import SCHEMA_VERSION
from ltr.store.groups import Groups
from ltr.store.identity import decisive, folder_name, run_id
from ltr.store.looks import Look
from ltr.store.settings import covers, enlarged, extent, settings, with_requested_arms
from ltr.store.tables import LANE, LaneId
from ltr.version import __version__

LOCK_TIMEOUT = 0.5
"""Seconds to wait for a lock; a reader that tests whether it is free holds it for less."""


class RunFolder:
    """Tables and checkpoints of a run.

    Attributes:
        path: path of the folder.
        groups: pytrees of each replicate, by name: "initial", "round_00", "round_01", ...
        frames: tables, by the names in `ltr.store.tables.LANES`.
        looks: looks taken at the run (see `ltr.store.looks`).
    """

    def __init__(self, path: Path) -> None:
        if (path / catalog.INFO).exists() and (run := catalog.Run(path)).status != catalog.DAMAGED:
            run.require_readable()
        self.path = path
        self.groups = Groups(path / catalog.CHECKPOINTS)
        self.frames = {name: tables.read(path, name) for name in tables.LANES}
        self.looks = looks.read(path)
        self.groups.drop_damaged()
        self._forget_unbacked()

    @property
    def finished(self) -> set[LaneId]:
        """Lanes that are trained."""
        return {LaneId(*row) for row in self.frames["results"][list(LANE)].itertuples(index=False)}

    @property
    def seconds(self) -> float:
        """Device time of the run's lanes, in seconds."""
        return float(self.frames["timings"]["seconds"].sum())

    def commit(self, new: Mapping[str, pd.DataFrame]) -> None:
        """Add the rows of finished lanes to the tables, `results` last."""
        for name in ("metrics", "timings", "results"):
            self.frames[name] = pd.concat([self.frames[name], new[name]], ignore_index=True)
            tables.write(self.path, name, self.frames[name])
        checkpoints.remove(self._under_way)

    def save_under_way(self, tree: Any, about: dict[str, Any]) -> None:
        """Replace the checkpoint inside a round."""
        checkpoints.save(self._under_way, tree, about)

    def load_under_way(self) -> tuple[Any, dict[str, Any]] | None:
        """Return the checkpoint inside a round with its metadata; None if there is no intact one."""
        if not checkpoints.is_whole(self._under_way):
            return None
        return checkpoints.load(self._under_way), checkpoints.metadata(self._under_way)

    def keep_looks(self, taken: Sequence[Look]) -> None:
        """Write the looks taken at the run, if they changed."""
        if taken != self.looks:
            self.looks = [*taken]
            looks.write(self.path, taken)

    @property
    def facts(self) -> dict[str, Any]:
        """Content of run.json; empty if it is missing or damaged."""
        try:
            return dict(json.loads((self.path / catalog.INFO).read_text()))
        except (OSError, ValueError, TypeError):
            return {}

    def require_same(self, experiment: Experiment) -> None:
        """Raise ConfigError if lanes under the same id were trained with other settings.

        This happens if an arm was redefined, or if a release of ltr changed a default.
        """
        before = decisive(self.requested) if self.requested else {}
        now = decisive(experiment)
        trained = tuple(f"arm.{name}." for name in set(self.frames["results"]["arm"]))
        for name, value in now.items():
            matters = name.startswith(trained) or not name.startswith("arm.")
            if matters and before.get(name, value) != value:
                remedy = "define another arm" if name.startswith("arm.") else "choose another output_root"
                raise ConfigError(
                    f"{name}={literal(value)}: {self.path} was trained with {literal(before[name])}; {remedy}"
                )

    @property
    def requested(self) -> Experiment | None:
        """Configuration of everything requested so far; None if unknown."""
        if not self._config:
            return None
        try:
            return parse(self._config)
        except ConfigError as error:
            remedy = "install the version of ltr that wrote it, or choose another output_root"
            raise LtrError(f"{self.path / catalog.CONFIG}: {error}; {remedy}") from None

    @property
    def packed(self) -> dict[str, float] | None:
        """Layers that train packed, with their break-even densities, as first chosen; None if never."""
        packed = self.facts.get("packed")
        return None if packed is None else {str(layer): float(density) for layer, density in packed.items()}

    @property
    def tiles(self) -> dict[str, int] | None:
        """Convolutions by Winograd's filtering, with their tiles, as first chosen; None for a new run.

        A run that was begun before ltr recorded them has none.
        """
        recorded = self.facts.get("winograd", {} if self.facts.get("sessions") else None)
        return None if recorded is None else {str(layer): int(tile) for layer, tile in recorded.items()}

    @property
    def fused(self) -> tuple[str, ...]:
        """Dense layers whose kernels are updated in one pass with their gradients, as first chosen."""
        return tuple(map(str, self.facts.get("fused", [])))

    @property
    def batch_norms(self) -> tuple[str, ...]:
        """Batch normalisations that ltr's kernels compute, as first chosen."""
        return tuple(map(str, self.facts.get("batch_norms", [])))

    @property
    def plugins(self) -> dict[str, set[str]]:
        """Versions of the plug-ins that the run's sessions used, by package."""
        return catalog.plugins(self.facts)

    def recorded(self, experiment: Experiment) -> Experiment:
        """Return the experiment enlarged by everything requested before, as readers of the run see it."""
        before = self.requested
        return enlarged(before, experiment) if before else experiment

    def is_ended_by(self, experiment: Experiment) -> bool:
        """Return whether a command that trains nothing must mark the last session as finished.

        It must if that session was killed between its last lane and its end, or if the configuration is
        lost. A command that requests less than that session did must not.
        """
        if not self._config:
            return True
        if self.facts.get("status") == catalog.FINISHED:
            return False
        sessions = self.facts.get("sessions", [])
        return not sessions or covers(experiment, sessions[-1].get("requested", extent(experiment)))

    @property
    def schema_version(self) -> int:
        """Schema version of the release that began the run; the present version for a new run."""
        return int(self.facts.get("schema_version", SCHEMA_VERSION))

    def begin(
        self,
        experiment: Experiment,
        devices: Mapping[str, str | int],
        packed: Mapping[str, float],
        request: Request = UNKNOWN,
        tiles: Mapping[str, int] = MappingProxyType({}),
        fused: Sequence[str] = (),
        batch_norms: Sequence[str] = (),
    ) -> None:
        """Write the configuration and a new session: its command, start time and machine.

        Args:
            experiment: requested experiment; earlier requests stay in the written configuration.
            devices: see `ltr.engine.devices.describe`.
            packed: see `ltr.engine.packing.Layers`; a choice by `sparse=auto` is kept for later sessions.
            request: the command, and the plug-ins that it needs.
            tiles: see `ltr.models.arithmetic.Arithmetic`; the first choice by `arithmetic=auto` is kept too.
            fused: likewise.
            batch_norms: likewise.
        """
        arithmetic = {"winograd": dict(tiles), "fused": [*fused], "batch_norms": [*batch_norms]}
        session = {
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["ltr", "run", *request.words]),
            "requested": extent(experiment),
            "host": platform.node(),
            "processor": machine.processor(),
            "commit": machine.commit(),
            "versions": _versions(),
            "plugins": dict(request.plugins),
            "devices": dict(devices),
            "packed": dict(packed),
            **arithmetic,
        }
        first = arithmetic if experiment.arithmetic == "auto" and self.tiles is None else {}
        recorded = with_requested_arms(self.recorded(experiment))
        atomic.write_text(self.path / catalog.CONFIG, yaml.safe_dump(to_dict(recorded), sort_keys=False))
        self.describe(
            id=run_id(experiment),
            schema_version=self.schema_version,
            status=catalog.RUNNING,
            settings=settings(recorded),
            sessions=[*self.facts.get("sessions", []), session],
            **first,
        )
        if experiment.sparse == "auto" and packed and self.packed is None:
            self.describe(packed=dict(packed))

    def describe(self, **facts: Any) -> None:
        """Replace facts in run.json, atomically."""
        atomic.write_text(self.path / catalog.INFO, json.dumps(self.facts | facts, indent=2) + "\n")

    @property
    def _config(self) -> dict[str, Any]:
        """Content of config.yaml; empty if it is missing or damaged."""
        try:
            return dict(yaml.safe_load((self.path / catalog.CONFIG).read_text()))
        except (OSError, ValueError, TypeError, yaml.YAMLError):
            return {}

    @property
    def _under_way(self) -> Path:
        return self.path / catalog.CHECKPOINTS / "under_way"

    def _forget_unbacked(self) -> None:
        """Drop the rows of tickets without an intact checkpoint, and of lanes that are not in every table."""
        results = self.frames["results"]
        saved = {
            round_number: self.groups.members(round_name(round_number))
            for round_number in set(results["round"])
        }
        lost = [
            lane.arm == "ticket" and lane.replicate not in saved[lane.round] for lane in results.itertuples()
        ]
        self.frames["results"] = results[~np.array(lost, bool)]
        indices = [pd.MultiIndex.from_frame(frame[list(LANE)]) for frame in self.frames.values()]
        whole = functools.reduce(pd.MultiIndex.intersection, indices)
        for name, index in zip(self.frames, indices, strict=True):
            self.frames[name] = self.frames[name][index.isin(whole)]


def round_name(round_number: int) -> str:
    """Return the name under which a round's tickets are saved."""
    return f"round_{round_number:02}"


@contextlib.contextmanager
def open_run(experiment: Experiment) -> Iterator[RunFolder]:
    """Open the run folder of an experiment, created if missing, and lock it while open.

    Raises:
        ConfigError: the folder cannot be written.
        LtrError: another process writes this run, or a table is damaged.
    """
    path = Path(experiment.output_root) / folder_name(experiment)
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / catalog.LOCK, timeout=LOCK_TIMEOUT)
        lock.acquire()
    except Timeout:
        raise LtrError(f"{path} is being written by another process") from None
    except OSError as error:
        raise ConfigError(
            f"output_root={experiment.output_root}: cannot be written ({error.strerror})"
        ) from None
    try:
        with _logged(path / "log.txt"):
            yield RunFolder(path)
    except LtrError:
        if is_new and not (path / catalog.INFO).exists():  # the run never began
            shutil.rmtree(path)
        raise
    finally:
        lock.release()


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Copy ltr's log messages to a file."""
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("ltr")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _versions() -> dict[str, str]:
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    own = {"ltr": __version__, "python": platform.python_version()}
    return own | {name: metadata.version(name) for name in packages}
