"""Transfer of the tickets of another run to other data or another optimizer (Morcos et al., 2019).

The weights that the other run's tickets were rewound to are the initial weights of this run, and its masks
are the masks of this run. A class head of another shape, for another number of classes, is drawn anew and
not pruned.
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltr.config.parse import with_limited_rounds
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.errors import ConfigError, LtrError
from ltr.pruning.registry import REWINDINGS
from ltr.store import catalog
from ltr.store.folder import round_name
from ltr.store.groups import Groups

HEAD = "output"
"""Name of the layer that may be drawn anew."""

LAST = "last"
"""Name that stands for the newest run with tickets of its own."""


def resolved(experiment: Experiment) -> Experiment:
    """Return the experiment with the other run named in full, and with that run's pruning.

    `RUN@round` trains that round alone, beside the dense network. `last` is the newest run that did not
    itself start from another run's tickets. So a command with `last` names the same run when it is
    repeated, although its own run is newer.

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
    if experiment.model != source.model:
        raise ConfigError(
            f"ticket={name}: is of model={source.model.name}, this run of {experiment.model.name}"
        )
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
        ConfigError: the shape of a layer other than the class head differs.
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
        """Return the unmasked initial weights of the other run's tickets, with a misfit head from `drawn`."""
        theirs = self._groups.load("initial", replicate)["origin"]
        return jax.tree.map(_fitting, theirs, drawn)

    def mask(self, round_number: int, replicate: int, dense: Any) -> Any:
        """Return the mask of the other run's round, with that of a misfit head from `dense`."""
        theirs = self._groups.load(round_name(round_number), replicate)["mask"]
        return masks.tree_map(_fitting, theirs, dense)

    def prunable(self, layer_types: Any) -> Any:
        """Return the layer types, None for a misfit head."""
        theirs = self._groups.load("initial", 0)["origin"]
        fits = jax.tree.map(lambda their, our: their.shape == our.shape, theirs, self._shapes)
        return masks.tree_map(lambda layer_type, fit: layer_type if fit else None, layer_types, fits)


def _fitting(their: Any, our: Any) -> Any:
    return their if np.shape(their) == np.shape(our) else our


def _groups(experiment: Experiment) -> Groups:
    name, _, _ = str(experiment.ticket).partition("@")
    return Groups(Path(experiment.output_root) / name / "checkpoints")
