"""The folder of one run, open for writing by one process.

A round is committed by writing `results.parquet`, last of all: what that table does not list is
trained again.
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
from typing import Any

import numpy as np
import pandas as pd
import yaml
from filelock import FileLock, Timeout

from ltr import machine
from ltr.config.origins import UNKNOWN, Request
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.core import atomic
from ltr.errors import ConfigError, LtrError
from ltr.store import catalog, checkpoints, looks, tables
from ltr.store.catalog import SCHEMA_VERSION
from ltr.store.groups import Groups
from ltr.store.identity import decisive, folder_name, run_id
from ltr.store.looks import Look
from ltr.store.settings import covers, enlarged, extent, only_asked_arms, settings
from ltr.store.tables import LANE, LaneId
from ltr.version import __version__

A_LOOK = 0.5
"""Seconds to wait for a lock: a reader that looks whether it is free holds it for less."""


class RunFolder:
    """Tables and checkpoints of a run.

    Attributes:
        path: the folder.
        groups: per-replicate pytrees, by name: "initial", and "round_00" and so on.
        frames: the tables, by the names in `ltr.store.tables.LANES`.
        looks: those that were taken at the run (see `ltr.store.looks`).
    """

    def __init__(self, path: Path) -> None:
        if (path / catalog.INFO).exists() and (run := catalog.Run(path)).status != catalog.DAMAGED:
            run.require_readable()
        self.path = path
        self.groups = Groups(path / "checkpoints")
        self.frames = {name: tables.read(path, name) for name in tables.LANES}
        self.looks = looks.read(path)
        self.groups.drop_damaged()
        self._forget_unbacked()

    @property
    def finished(self) -> set[LaneId]:
        """The lanes that are done."""
        return {LaneId(*row) for row in self.frames["results"][list(LANE)].itertuples(index=False)}

    @property
    def seconds(self) -> float:
        """Device time that the run's lanes took."""
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
        """The checkpoint inside a round, if a whole one is there."""
        if not checkpoints.is_whole(self._under_way):
            return None
        return checkpoints.load(self._under_way), checkpoints.metadata(self._under_way)

    def keep_looks(self, taken: Sequence[Look]) -> None:
        """Write down the looks that were taken at the run, where there are new ones."""
        if taken != self.looks:
            self.looks = [*taken]
            looks.write(self.path, taken)

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says; nothing where it is not there or damaged."""
        try:
            return dict(json.loads((self.path / "run.json").read_text()))
        except (OSError, ValueError, TypeError):
            return {}

    def require_same(self, experiment: Experiment) -> None:
        """ConfigError if what is trained already was trained with other settings under the same id.

        So it is if an arm was defined otherwise, or a release of ltr has changed a default.
        """
        before = decisive(self.asked) if self.asked else {}
        now = decisive(experiment)
        trained = tuple(f"arm.{name}." for name in set(self.frames["results"]["arm"]))
        for name, value in now.items():
            matters = name.startswith(trained) or not name.startswith("arm.")
            if matters and before.get(name, value) != value:
                remedy = "define another arm" if name.startswith("arm.") else "choose another output_root"
                raise ConfigError(f"{name}={value}: {self.path} was trained with {before[name]}; {remedy}")

    @property
    def asked(self) -> Experiment | None:
        """What was asked for last; None where that is not known."""
        if not self._config:
            return None
        try:
            return parse(self._config)
        except ConfigError as error:
            remedy = "install the version of ltr that wrote it, or choose another output_root"
            raise LtrError(f"{self.path / catalog.CONFIG}: {error}; {remedy}") from None

    @property
    def packed(self) -> dict[str, float] | None:
        """The layers that train packed, and up to which density, as first chosen; None if never."""
        found = self.facts.get("packed")
        return None if found is None else {str(layer): float(density) for layer, density in found.items()}

    @property
    def plugins(self) -> dict[str, set[str]]:
        """The versions of plug-ins that sessions of the run used, by package."""
        return catalog.plugins(self.facts)

    def recorded(self, experiment: Experiment) -> Experiment:
        """The experiment, with all that the run was asked for before: what readers of the run go by."""
        before = self.asked
        return enlarged(before, experiment) if before else experiment

    def is_ended_by(self, experiment: Experiment) -> bool:
        """Whether the command of an experiment that lacks no lane still has to end the last session.

        So it is where a session was killed between its last lane and its end, or its configuration is lost. A
        session that asked for more is not ended by a command that asks for less.
        """
        if not self._config:
            return True
        if self.facts.get("status") == "finished":
            return False
        sessions = self.facts.get("sessions", [])
        return not sessions or covers(experiment, sessions[-1].get("asked", extent(experiment)))

    @property
    def schema_version(self) -> int:
        """That of the release which began the run; the present one if none did."""
        return int(self.facts.get("schema_version", SCHEMA_VERSION))

    def begin(
        self,
        experiment: Experiment,
        devices: Mapping[str, str | int],
        packed: Mapping[str, float],
        request: Request = UNKNOWN,
    ) -> None:
        """Write down what is to be run, and a session: its command, when it began, and on what.

        Args:
            experiment: what is asked for. What was asked for before stays in the configuration.
            devices: see `ltr.engine.devices.describe`.
            packed: see `ltr.engine.packing.Layers`; chosen by ltr it is kept for later sessions.
            request: the command, and the plug-ins that it needs.
        """
        session = {
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["ltr", "run", *request.words]),
            "asked": extent(experiment),
            "host": platform.node(),
            "processor": machine.processor(),
            "commit": machine.commit(),
            "versions": _versions(),
            "plugins": dict(request.plugins),
            "devices": dict(devices),
            "packed": dict(packed),
        }
        recorded = only_asked_arms(self.recorded(experiment))
        atomic.write_text(self.path / "config.yaml", yaml.safe_dump(to_dict(recorded), sort_keys=False))
        self.describe(
            id=run_id(experiment),
            schema_version=self.schema_version,
            status="running",
            settings=settings(recorded),
            sessions=[*self.facts.get("sessions", []), session],
        )
        if experiment.sparse == "auto" and packed and self.packed is None:
            self.describe(packed=dict(packed))

    def describe(self, **facts: Any) -> None:
        """Update facts in run.json, whole or not at all."""
        atomic.write_text(self.path / "run.json", json.dumps(self.facts | facts, indent=2) + "\n")

    @property
    def _config(self) -> dict[str, Any]:
        """What config.yaml says; nothing where it is not there or damaged."""
        try:
            return dict(yaml.safe_load((self.path / "config.yaml").read_text()))
        except (OSError, ValueError, TypeError, yaml.YAMLError):
            return {}

    @property
    def _under_way(self) -> Path:
        return self.path / "checkpoints" / "under_way"

    def _forget_unbacked(self) -> None:
        """Forget tickets whose checkpoint is lost or damaged, and lanes that are not in every table."""
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
    """What the tickets of a round are saved under."""
    return f"round_{round_number:02}"


@contextlib.contextmanager
def open_run(experiment: Experiment) -> Iterator[RunFolder]:
    """The run folder of an experiment, made if it is not there, locked while open.

    Raises:
        ConfigError: the folder cannot be written.
        LtrError: another process writes this run, or a table is damaged.
    """
    path = Path(experiment.output_root) / folder_name(experiment)
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / catalog.LOCK, timeout=A_LOOK)
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
        if is_new and not (path / "run.json").exists():  # it never began: leave nothing behind
            shutil.rmtree(path)
        raise
    finally:
        lock.release()


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Copy what ltr logs into a file."""
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
