"""Run that another run takes its tickets from: found by the knob `ticket`, importable without JAX."""

import contextlib
import dataclasses
from pathlib import Path

from ltr.addresses import local
from ltr.config.literals import literal
from ltr.config.parse import with_limited_rounds
from ltr.config.schema import Experiment
from ltr.errors import ConfigError, LtrError
from ltr.pruning.registry import REWINDINGS
from ltr.store import catalog, fetching

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
    run = _source(local(experiment.output_root), name)
    if run.folder.resolve().parent != local(experiment.output_root).resolve():
        raise ConfigError(f"ticket={name}: must be a run in output_root={experiment.output_root}")
    if separator and not round_number.isdecimal():
        raise ConfigError(f"ticket={experiment.ticket}: must be RUN or RUN@round, as in last@7")
    run.require_readable()
    if run.status != catalog.FINISHED:
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
    _require_lanes(resolved_experiment, run.folder, source)
    return resolved_experiment


def _source(output_root: Path, name: str) -> catalog.Run:
    """Return the run that tickets are taken from."""
    if name != LAST:
        return catalog.find(output_root, name)
    for newest in catalog.all_runs(output_root):
        with contextlib.suppress(LtrError):  # damaged
            if "ticket" not in (run := catalog.read(newest.folder)).settings:
                return run
    raise ConfigError(f"ticket={LAST}: no run in {output_root} has tickets of its own; ltr ls lists runs")


def _require_lanes(experiment: Experiment, folder: Path, source: Experiment) -> None:
    """Raise ConfigError if the other run never had a round or a replicate, DamageError if it lost one."""
    from ltr.store import chains, tables  # imports pandas and JAX; a wrong name of a run comes first
    from ltr.store.folder import round_name, saved_with
    from ltr.store.groups import INITIAL, Groups

    fetching.fetch_below(folder, catalog.CHECKPOINTS)
    groups = Groups(folder / catalog.CHECKPOINTS)
    rounds = [
        round_number for round_number in range(1, experiment.rounds + 1) if experiment.trains(round_number)
    ]
    requested = set(range(experiment.replicates))
    results = tables.read(folder, "results")
    saved, ended = saved_with(results), chains.ends(results, source)
    for name in (INITIAL, *map(round_name, rounds)):
        for error in groups.missing({name: requested & saved.get(name, set())}):
            raise error
        lacking = requested - groups.members(name)
        if lacking:
            end = ended.get(min(lacking))
            why = f", which ended in round {end.round}" if end else ""
            raise ConfigError(
                f"ticket={experiment.ticket}: that run has no {name} of replicate {min(lacking)}{why}; "
                "ask for fewer rounds or replicates"
            )
