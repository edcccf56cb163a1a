"""Folder of one run, open for writing by one process.

A round is committed by writing `results.parquet`, the last of its files. Lanes that this table does not
list are trained again.
"""

import logging
import os
import platform
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from ltr.config.literals import literal
from ltr.config.origins import UNKNOWN, Request
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.core import atomic, machine
from ltr.errors import ConfigError, LtrError
from ltr.store import archive, catalog, checkpoints, looks, rows, sealed_text, tables
from ltr.store.catalog import SCHEMA_VERSION
from ltr.store.damage import DAMAGED, MISSING, DamageError, set_aside
from ltr.store.first_choices import FirstChoices
from ltr.store.groups import INITIAL, Groups
from ltr.store.identity import decisive, run_id
from ltr.store.looks import Look
from ltr.store.settings import covers, enlarged, extent, settings, with_requested_arms
from ltr.store.tables import LANE, LaneId
from ltr.version import __version__

log = logging.getLogger(__name__)

SEARCHES = "searches"
"""Folder of what searches found, in that of the checkpoints."""


class RunFolder:
    """Tables and checkpoints of a run.

    Opening it warns of what is lost and is made again. Damaged checkpoints are set aside; damaged tables and
    looks are refused with DamageError.

    Attributes:
        path: path of the folder.
        push: makes what was written lasting, where the folder is a working copy.
        groups: pytrees of each replicate, by name: "initial", "round_00", "round_01", ...
        searches: masks that searches found, or trained networks to prune, by the names of `search_name`.
        frames: tables, by the names in `ltr.store.tables.LANES`.
        looks: looks taken at the run (see `ltr.store.looks`).
    """

    def __init__(self, path: Path, push: Callable[[], None] = lambda: None) -> None:
        if (path / catalog.INFO).exists() and not (run := catalog.Run(path)).damage:
            run.require_readable()
        self.path = path
        self.push = push
        self._opened = path.stat()
        self._described: dict[str, Any] | None = None
        self.groups = Groups(path / catalog.CHECKPOINTS)
        self.searches = searches_of(path)
        self.frames = rows.read(path)
        self.looks = self._kept_looks()
        self._set_damaged_aside()
        self._forget_unbacked()

    @property
    def finished(self) -> set[LaneId]:
        """Lanes that are trained."""
        return {LaneId(*row) for row in self.frames["results"][list(LANE)].itertuples(index=False)}

    @property
    def seconds(self) -> float:
        """Device time of the run's lanes, in seconds."""
        return float(self.frames["timings"]["seconds"].sum())

    @property
    def is_present(self) -> bool:
        """Whether the folder is still where it was opened, and not another one of its name."""
        try:
            return os.path.samestat(self.path.stat(), self._opened)
        except OSError:
            return False

    def require_present(self) -> None:
        """Raise LtrError if the folder was removed, moved or replaced since it was opened."""
        if not self.is_present:
            raise LtrError(
                f"{self.path}: was removed, moved or replaced while it was open; nothing more is written"
            )

    def save(self, name: str, trees: Mapping[int, Any]) -> None:
        """Save pytrees by replicate under a name (see `ltr.store.groups.Groups`)."""
        self.require_present()
        self.groups.save(name, trees)
        self.push()

    def save_search(self, lane: LaneId, trees: Mapping[int, Any]) -> None:
        """Save by replicate what lanes like this one found."""
        self.require_present()
        self.searches.save(search_name(lane), trees)
        self.push()

    def forget(self, lanes: Collection[LaneId]) -> None:
        """Drop the rows of lanes, which are then trained again."""
        for name, frame in self.frames.items():
            is_dropped = pd.MultiIndex.from_frame(frame[list(LANE)]).isin(lanes)
            self.frames[name] = frame[~is_dropped]

    def commit(self, new: Mapping[str, pd.DataFrame]) -> None:
        """Add the rows of lanes to the tables, `results` last."""
        self.require_present()
        for name in [name for name in ("metrics", "timings", "results") if name in new]:
            frame = pd.concat([self.frames[name], new[name]], ignore_index=True)
            tables.write(self.path, name, frame)
            self.frames[name] = frame
        for path in _under_ways(self.path):
            checkpoints.remove(path)
        self.push()

    def save_under_way(self, tree: Any, about: dict[str, Any]) -> None:
        """Replace the checkpoint inside a round."""
        self.require_present()
        new, earlier = _under_ways(self.path)
        checkpoints.save(new, tree, about)
        checkpoints.remove(earlier)
        self.push()

    def load_under_way(self) -> tuple[Any, dict[str, Any]] | None:
        """Return the checkpoint inside a round with its metadata; None if there is no intact one."""
        path = under_way(self.path)
        if not path.exists():
            return None
        if error := under_way_damage(self.path):
            log.warning("%s", error)
            return None
        return checkpoints.load(path), checkpoints.metadata(path)

    def keep_looks(self, taken: Sequence[Look]) -> None:
        """Write the looks taken at the run, and then their number, which shows a loss; if one has changed.

        A process killed between the two leaves an older number, which the next look corrects. The number of
        a run of which no claim can be tested is 0.
        """
        if taken != self.looks or len(taken) != self.facts.get("looks"):
            self.require_present()
            self.looks = [*taken]
            if taken:
                looks.write(self.path, taken)
            self.describe(looks=len(taken))

    @property
    def facts(self) -> dict[str, Any]:
        """Content of run.json; empty if it is missing or was damaged when the folder was opened."""
        if self._described is not None:
            return dict(self._described)
        try:
            return dict(sealed_text.from_json((self.path / catalog.INFO).read_bytes()))
        except (OSError, ValueError, TypeError):
            return {}

    def require_same(self, experiment: Experiment) -> None:
        """Raise ConfigError if lanes under the same id were trained with other settings.

        This happens if an arm was redefined, if a release of ltr changed a default, or if a configuration
        without a checksum is damaged.
        """
        before = decisive(self.requested) if self.requested else {}
        now = decisive(experiment)
        trained = tuple(f"arm.{name}." for name in set(self.frames["results"]["arm"]))
        for name, value in now.items():
            matters = name.startswith(trained) or not name.startswith("arm.")
            if not matters or before.get(name, value) == value:
                continue
            theirs, ours = literal(before[name]), literal(value)
            if name.startswith("arm."):
                raise ConfigError(f"{name}={ours}: {self.path} was trained with {theirs}; define another arm")
            raise ConfigError(
                f"{self.path / catalog.CONFIG}: has {name}={theirs}, this command of the same id {ours}; "
                "it is damaged, or a default of ltr has changed: restore it from a copy, or choose another "
                "output_root"
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
    def first_choices(self) -> FirstChoices:
        """How the run computes, as first chosen."""
        return FirstChoices.of(self.facts)

    @property
    def plugins(self) -> dict[str, set[str]]:
        """Versions of the plug-ins that the run's sessions used, by package."""
        return catalog.plugins(self.facts)

    def recorded(self, experiment: Experiment) -> Experiment:
        """Return the experiment enlarged by everything requested before, as readers of the run see it."""
        before = self.requested
        return enlarged(before, experiment) if before else experiment

    def undrawn(self, experiment: Experiment) -> list[int]:
        """Return the requested replicates without initial weights, which are new or have lost theirs."""
        return sorted(set(range(experiment.replicates)) - self.groups.members(INITIAL))

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
        conv_form: str = "grouped",
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
            conv_form: likewise.
        """
        arithmetic = {
            "winograd": dict(tiles),
            "fused": [*fused],
            "batch_norms": [*batch_norms],
            "conv_form": conv_form,
        }
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
        first = arithmetic if experiment.arithmetic == "auto" and self.first_choices.tiles is None else {}
        recorded = with_requested_arms(self.recorded(experiment))
        self._warn_of_lost_description()
        atomic.write_bytes(self.path / catalog.CONFIG, sealed_text.to_yaml(to_dict(recorded)))
        self.describe(
            id=run_id(experiment),
            schema_version=self.schema_version,
            status=catalog.RUNNING,
            error=None,
            settings=settings(recorded),
            sessions=[*self.facts.get("sessions", []), session],
            **first,
        )
        if experiment.sparse == "auto" and packed and self.first_choices.packed is None:
            self.describe(packed=dict(packed))

    def record_packed(self, packed: Mapping[str, float]) -> None:
        """Record the layers that train packed where they are chosen by `sparse=auto` after `begin`."""
        *before, last = self.facts["sessions"]
        if last["packed"] == packed:
            return
        chosen = {"packed": dict(packed)} if packed and self.first_choices.packed is None else {}
        self.describe(sessions=[*before, last | {"packed": dict(packed)}], **chosen)

    def describe(self, **facts: Any) -> None:
        """Replace facts in run.json, atomically."""
        self.require_present()
        described = self.facts | facts
        atomic.write_bytes(self.path / catalog.INFO, sealed_text.to_json(described))
        self._described = described
        self.push()

    @property
    def _config(self) -> dict[str, Any]:
        """Content of config.yaml; empty if it is missing or damaged."""
        try:
            return dict(sealed_text.from_yaml((self.path / catalog.CONFIG).read_bytes()))
        except (OSError, ValueError, TypeError):
            return {}

    def _kept_looks(self) -> list[Look]:
        """Read the looks; warn of lost ones, which are none."""
        if looks.is_lost(self.path):
            log.warning("%s", looks.damage(self.path, MISSING))
            return []
        return looks.read(self.path)

    def _set_damaged_aside(self) -> None:
        """Warn of damaged and missing checkpoints, and set the damaged ones aside, so they are made again."""
        checkpoints.settle(self.path / catalog.CHECKPOINTS)
        checkpoints.settle(self.path / catalog.CHECKPOINTS / SEARCHES)
        damaged = [*self.groups.damaged(), *self.searches.damaged()]
        for error in (*damaged, *self.groups.missing(saved_with(self.frames["results"]))):
            log.warning("%s", error)
        for error in damaged:
            set_aside(error.path)

    def _warn_of_lost_description(self) -> None:
        """Warn if run.json or config.yaml, which are written anew, are damaged or missing."""
        try:
            run = catalog.Run(self.path)
        except OSError:  # a new run, unless it has results
            if self.finished:
                log.warning("%s: neither run.json nor config.yaml is there; they are written anew", self.path)
            return
        for read in (run.require_readable, lambda: run.config):
            try:
                read()
            except DamageError as error:
                if error.problem == DAMAGED:
                    set_aside(error.path)
                if error.problem == DAMAGED or self.finished:
                    log.warning("%s", error)

    def _forget_unbacked(self) -> None:
        """Drop the rows of lanes that are not wholly there (see `ltr.store.rows`)."""
        saved = {
            round_number: self.groups.members(round_name(round_number))
            for round_number in set(self.frames["results"]["round"])
        }
        self.frames = rows.backed(self.frames, saved, self.path)


def round_name(round_number: int) -> str:
    """Return the name under which a round's tickets are saved."""
    return f"round_{round_number:02}"


def searches_of(folder: Path) -> Groups:
    """Return what the searches of the run in a folder found."""
    return Groups(folder / catalog.CHECKPOINTS / SEARCHES, folder, "masks")


def search_name(lane: LaneId) -> str:
    """Return the name under which what a lane found is saved, for all replicates."""
    return f"{round_name(lane.round)}_{lane.arm}_{lane.draw}"


def saved_with(results: pd.DataFrame) -> dict[str, set[int]]:
    """Return the replicates that have checkpoints beside these results, by the name of the checkpoint."""
    saved = {INITIAL: set(results["replicate"])}
    is_saved = (results["arm"] == "ticket") & results["emptied_layer"].isna()
    tickets = results.loc[is_saved, ["round", "replicate"]]
    for round_number, replicate in tickets.itertuples(index=False):
        saved.setdefault(round_name(round_number), set()).add(replicate)
    return saved


def under_way(folder: Path) -> Path:
    """Return the path of the checkpoint inside a round, which need not exist."""
    new, earlier = _under_ways(folder)
    return earlier if earlier.exists() and not new.exists() else new


def under_way_damage(folder: Path) -> DamageError | None:
    """Return the error for a damaged checkpoint inside a round; None if it is whole."""
    path = under_way(folder)
    if checkpoints.is_whole(path):
        return None
    again = f"{catalog.command(folder)} begins the round again"
    return DamageError(path, DAMAGED, "the state inside a round", f"restore it from a copy, or {again}")


def _under_ways(folder: Path) -> tuple[Path, Path]:
    """Return the paths of the checkpoint inside a round: of this version, and of earlier ones, a folder."""
    earlier = folder / catalog.CHECKPOINTS / "under_way"
    return earlier.with_name(f"{earlier.name}{archive.ENDING}"), earlier


def _versions() -> dict[str, str]:
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    own = {"ltr": __version__, "python": platform.python_version()}
    return own | {name: metadata.version(name) for name in packages}
