"""Tickets of another run, to be trained on other data or by another optimizer (Morcos et al., 2019).

The weights that the other run's tickets were rewound to are the initial weights here, and its masks
are the masks here. A class head that does not fit, because there are other classes, is drawn anew
and not pruned.
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltr.config.parse import by_densities
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.errors import ConfigError, LtrError
from ltr.pruning.registry import REWINDINGS
from ltr.store import catalog
from ltr.store.folder import round_name
from ltr.store.groups import Groups

HEAD = "output"
"""The layer that may be drawn anew."""

LAST = "last"
"""The run written last that has tickets of its own."""


def resolved(experiment: Experiment) -> Experiment:
    """The experiment with the other run named in full, and pruned as that was.

    `RUN@round` is that round alone, beside the dense network. `last` is the run written last that did
    not start from another's tickets itself: a command that says so names the same run when it is typed
    again, though its own run was written since. ConfigError if there is no such run, if it is not
    finished, or lacks what is asked for.
    """
    if experiment.ticket is None:
        return experiment
    name, at, round_number = experiment.ticket.partition("@")
    run = _source(Path(experiment.output_root), name)
    if run.folder.resolve().parent != Path(experiment.output_root).resolve():
        raise ConfigError(f"ticket={name}: must be a run in output_root={experiment.output_root}")
    if at and not round_number.isdecimal():
        raise ConfigError(f"ticket={experiment.ticket}: must be RUN or RUN@round, as in last@7")
    if run.status != "finished":
        how = f"; it goes on with: {run.goes_on_with}" if run.goes_on_with else ""
        raise ConfigError(f"ticket={name}: {run.folder} is not finished ({run.status}){how}")
    source = run.experiment()
    rounds = int(round_number) if at else experiment.rounds
    wanted = dataclasses.replace(
        experiment,
        ticket=f"{run.folder.name}{at}{round_number}",
        rounds=rounds,
        prune_rate=source.prune_rate,
        pruning=source.pruning,
    )
    if not at:
        wanted = by_densities(wanted)
    if not REWINDINGS[wanted.rewind.name].restores_weights:
        raise ConfigError(f"rewind={wanted.rewind.name}: must be weights with ticket={name}")
    if wanted.model != source.model:
        raise ConfigError(f"ticket={name}: is of model={source.model.name}, this run of {wanted.model.name}")
    _require(wanted, _groups(wanted))
    return wanted


def _source(output_root: Path, name: str) -> catalog.Run:
    """The run that tickets are taken from."""
    if name != LAST:
        return catalog.find(output_root, name)
    for run in catalog.all_runs(output_root):
        with contextlib.suppress(LtrError):  # damaged
            if "ticket" not in run.settings:
                return run
    raise ConfigError(f"ticket={LAST}: no run in {output_root} has tickets of its own; ltr ls lists runs")


def _require(experiment: Experiment, groups: Groups) -> None:
    """ConfigError where the other run lacks a round or a replicate."""
    rounds = [
        round_number for round_number in range(1, experiment.rounds + 1) if experiment.trains(round_number)
    ]
    for name in ("initial", *map(round_name, rounds)):
        lacking = set(range(experiment.replicates)) - groups.members(name)
        if lacking:
            raise ConfigError(
                f"ticket={experiment.ticket}: that run has no {name} of replicate {min(lacking)}; "
                "ask for fewer rounds or replicates"
            )


class SourceTickets:
    """The tickets of another run, cut to the shapes of this one.

    Args:
        experiment: a resolved one that names the other run.
        shapes: of the parameters here; ConfigError if others than the class head differ.
    """

    def __init__(self, experiment: Experiment, shapes: Any) -> None:
        self._groups = _groups(experiment)
        self._groups.require_whole()
        self._shapes = shapes
        theirs = self._groups.load("initial", 0)["origin"]
        for (path, ours), their in zip(
            jax.tree.leaves_with_path(shapes), jax.tree.leaves(theirs), strict=True
        ):
            layer = path[0].key
            if ours.shape != their.shape and layer != HEAD:
                raise ConfigError(
                    f"ticket={experiment.ticket}: layer {layer} is of shape {their.shape} there "
                    f"and of {ours.shape} here"
                )

    def initial(self, replicate: int, drawn: Any) -> Any:
        """The weights their tickets started from, unmasked; of a head that does not fit those drawn."""
        theirs = self._groups.load("initial", replicate)["origin"]
        return jax.tree.map(_fitting, theirs, drawn)

    def mask(self, round_number: int, replicate: int, dense: Any) -> Any:
        """The mask of their round; of a head that does not fit the dense one."""
        theirs = self._groups.load(round_name(round_number), replicate)["mask"]
        return masks.tree_map(_fitting, theirs, dense)

    def prunable(self, layer_types: Any) -> Any:
        """The kinds, None of a head that does not fit."""
        theirs = self._groups.load("initial", 0)["origin"]
        fits = jax.tree.map(lambda their, our: their.shape == our.shape, theirs, self._shapes)
        return masks.tree_map(lambda kind, fit: kind if fit else None, layer_types, fits)


def _fitting(their: Any, our: Any) -> Any:
    return their if np.shape(their) == np.shape(our) else our


def _groups(experiment: Experiment) -> Groups:
    name, _, _ = str(experiment.ticket).partition("@")
    return Groups(Path(experiment.output_root) / name / "checkpoints")
