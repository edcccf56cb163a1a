"""Transfer of the tickets of another run to other data or another optimizer (Morcos et al., 2019).

This run takes the masks of the other run. Its initial weights are those that the other run's tickets were
rewound to. If the number of classes differs, the output layer has another shape; it is drawn anew and not
pruned.
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ltr.config.literals import literal
from ltr.config.parse import with_limited_rounds
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.core.types import LayerTypes, Mask, Params
from ltr.errors import ConfigError, LtrError
from ltr.pruning.registry import REWINDINGS
from ltr.store import catalog
from ltr.store.folder import round_name
from ltr.store.groups import Groups

HEAD = "output"
"""Name of the output layer (head), which is drawn anew if its shape differs."""

LAST = "last"
"""Name that stands for the newest run with tickets of its own."""


def resolved(experiment: Experiment) -> Experiment:
    """Return the experiment with the other run named in full, and with that run's pruning.

    `RUN@round` trains that round alone, beside the dense network. `last` is the newest run that did not
    itself start from another run's tickets. A command with `last` therefore names the same run when it is
    repeated, although its own run is newer by then.

    Raises:
        ConfigError: there is no such run, it is not finished, or it lacks a requested round or replicate.
    """
    if experiment.ticket is None:
        return experiment
    name, separator, round_number = experiment.ticket.partition("@")
    run = _source(Path(experiment.output_root), name)
    if run.folder.resolve().parent != Path(experiment.output_root).resolve():
        raise ConfigError(f"ticket={name}: must be a run in output_root={experiment.output_root}")
    if separator and not round_number.isdecimal():
        raise ConfigError(f"ticket={experiment.ticket}: must be RUN or RUN@round, as in last@7")
    if run.status != "finished":
        how = f"; resume it with: {run.resume_command}" if run.resume_command else ""
        how = f"; it cannot be resumed: {run.obstacle}" if run.obstacle else how
        raise ConfigError(f"ticket={name}: {run.folder} is not finished ({run.status}){how}")
    source = run.experiment()
    rounds = int(round_number) if separator else experiment.rounds
    resolved_experiment = dataclasses.replace(
        experiment,
        ticket=f"{run.folder.name}{separator}{round_number}",
        rounds=rounds,
        prune_rate=source.prune_rate,
        pruning=source.pruning,
    )
    if not separator:
        resolved_experiment = with_limited_rounds(resolved_experiment)
    if not REWINDINGS[experiment.rewind.name].restores_weights:
        raise ConfigError(f"rewind={experiment.rewind.name}: must be weights with ticket={name}")
    for knob, theirs in vars(source.model).items():
        if (ours := getattr(experiment.model, knob)) != theirs:
            raise ConfigError(f"model.{knob}={literal(ours)}: must be {literal(theirs)} with ticket={name}")
    _require(resolved_experiment, _groups(resolved_experiment))
    return resolved_experiment


def _source(output_root: Path, name: str) -> catalog.Run:
    """Return the run that tickets are taken from."""
    if name != LAST:
        return catalog.find(output_root, name)
    for run in catalog.all_runs(output_root):
        with contextlib.suppress(LtrError):  # damaged
            if "ticket" not in run.settings:
                return run
    raise ConfigError(f"ticket={LAST}: no run in {output_root} has tickets of its own; ltr ls lists runs")


def _require(experiment: Experiment, groups: Groups) -> None:
    """Raise ConfigError if the other run lacks a round or a replicate."""
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
    """Tickets of another run, adapted to the shapes of this one.

    Args:
        experiment: resolved experiment, which names the other run.
        shapes: shapes of this run's parameters.

    Raises:
        ConfigError: the shape of a layer other than the output layer differs.
    """

    def __init__(self, experiment: Experiment, shapes: PyTree[jax.ShapeDtypeStruct]) -> None:
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

    def initial(self, replicate: int, drawn: Params) -> Params:
        """Return the other run's unmasked initial weights; a head of another shape is that of `drawn`."""
        theirs = self._groups.load("initial", replicate)["origin"]
        return jax.tree.map(_fitting, theirs, drawn)

    def mask(self, round_number: int, replicate: int, dense: Mask) -> Mask:
        """Return the other run's mask of a round; that of a head of another shape is that of `dense`."""
        theirs = self._groups.load(round_name(round_number), replicate)["mask"]
        return masks.tree_map(_fitting, theirs, dense)

    def prunable(self, layer_types: LayerTypes) -> LayerTypes:
        """Return the layer types, None for a head of another shape."""
        theirs = self._groups.load("initial", 0)["origin"]
        fits = jax.tree.map(lambda their, our: their.shape == our.shape, theirs, self._shapes)
        return masks.tree_map(lambda layer_type, fit: layer_type if fit else None, layer_types, fits)


def _fitting(their: Any, our: Any) -> Any:
    """Return their array, or ours if the shapes differ."""
    return their if np.shape(their) == np.shape(our) else our


def _groups(experiment: Experiment) -> Groups:
    name, _, _ = str(experiment.ticket).partition("@")
    return Groups(Path(experiment.output_root) / name / "checkpoints")
