"""Search: trials that are ordinary runs of their tickets, trained until the requested density or pruned."""

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from ltr.addresses import kept_here, local
from ltr.config.overrides import typed_word
from ltr.config.schema import Experiment
from ltr.config.words import Word
from ltr.errors import ConfigError, StoppedError
from ltr.experiment import compose
from ltr.experiment.runner import conduct
from ltr.experiment.signals import Stop
from ltr.experiment.spec import RunSpec
from ltr.hosts import group
from ltr.pruning.targets import kept, targets
from ltr.report.output import Output
from ltr.store import tables
from ltr.store.identity import canonical, run_folder
from ltr.tuning import objective
from ltr.tuning.objective import TOLERANCE, accuracy_at, is_hopeless, reached, rungs
from ltr.tuning.space import Space
from ltr.tuning.study import OpenTrial, Study

FOLDER = "studies"
"""Folder of the studies, in the output root."""

TICKET_ALONE = "arms=[ticket]"

MOST_ROUNDS = 100
"""Largest number of rounds of a trial."""


class Search:
    """Search of a space for the highest validation accuracy at a density.

    Args:
        space: search space.
        density: in (0, 1].

    Raises:
        ConfigError: a value cannot be run, the density cannot be reached, or a knob contradicts a search.
    """

    def __init__(self, space: Space, density: float) -> None:
        self.space, self.density = space, density
        typed = {Word.split(word).key for word in space.fixed}
        if "rounds" in typed:
            raise ConfigError("rounds: a trial has as many rounds as reach the density; leave it out")
        self._fixed = space.fixed if "arms" in typed else [*space.fixed, TICKET_ALONE]
        for values in space.examples():
            self.experiment(space.words(values))

    @cached_property
    def base(self) -> Experiment:
        """Experiment with the first value of each searched knob."""
        return self.experiment(self.space.words(next(self.space.examples())))

    @property
    def folder(self) -> Path:
        """Folder of the study, named by a hash of the space and of everything else that decides a trial."""
        base = self.base
        settings = {"space": sorted(self.space.searched), "density": self.density}
        text = json.dumps([settings, canonical(base), base.replicates], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return kept_here(local(base.output_root)) / FOLDER / f"{base.dataset.name}-{base.model.name}-{digest}"

    def experiment(self, chosen: list[str]) -> Experiment:
        """Return the experiment of a trial; ConfigError if it cannot be run."""
        experiment = compose.from_overrides([*self._fixed, *chosen, "rounds=0"])
        _require_searchable(experiment)
        group.require_none(experiment.hosts)
        return dataclasses.replace(experiment, rounds=rounds_to(self.density, experiment))

    def words(self, chosen: list[str], experiment: Experiment) -> list[str]:
        """Return the words of a trial's run."""
        return [*map(typed_word, [*self._fixed, *chosen]), f"rounds={experiment.rounds}"]

    def command(self, chosen: list[str]) -> str:
        """Return the command that runs a choice beside its controls, on a seed that no trial has seen."""
        experiment = self.experiment(chosen)
        words = [typed_word(word) for word in [*self.space.fixed, *chosen] if not word.startswith("seed=")]
        again = [*words, f"rounds={experiment.rounds}", f"seed={experiment.seed + 1}"]
        return shlex.join(["ltr", "run", *again])


def rounds_to(density: float, experiment: Experiment) -> int:
    """Return the number of rounds that an experiment needs to reach a density; ConfigError if none do.

    Args:
        density: in (0, 1].
        experiment: its own `rounds` may be any.
    """
    spec = RunSpec.from_experiment(experiment)
    layers = spec.model.layer_types, spec.model.kernels
    most = min(MOST_ROUNDS, len(experiment.pruning.densities) or MOST_ROUNDS)
    for rounds in range(most + 1):
        counts = targets(experiment.pruning, experiment.prune_rate, rounds, *layers)
        if kept(counts[-1]) <= density * (1 + TOLERANCE) * kept(counts[0]):
            return rounds
    raise ConfigError(f"--density {density:g}: not reached in {most} rounds; type a larger one")


def _require_searchable(experiment: Experiment) -> None:
    """Raise ConfigError for knobs by which test accuracies, or tickets of another run, would decide."""
    if experiment.claims.looks:
        raise ConfigError(
            "replicates=auto: the claims decide it by test accuracies, which none must see; type a number"
        )
    if experiment.ticket:
        raise ConfigError(f"ticket={experiment.ticket}: a search trains tickets of its own; leave it out")
    if "ticket" not in experiment.arms:
        raise ConfigError("arms: a search needs the arm ticket, whose accuracy it compares")


class HopelessError(StoppedError):
    """A trial is pruned. Its run ends as by a signal, and can be resumed by `ltr run`."""

    def __init__(self) -> None:
        super().__init__(0, "pruned: below the median of the finished trials at this density")


class Watch(Stop):
    """Stop of a trial's run: a signal of the study's, or the trial has become hopeless.

    Args:
        stop: stop of the study, which handles signals.
        table: metrics table of the run, read when it has changed.
        is_hopeless: decides it from the table.
    """

    def __init__(self, stop: Stop, table: Path, is_hopeless: Callable[[], bool]) -> None:
        super().__init__()
        self._stop, self._table, self._is_hopeless = stop, table, is_hopeless
        self._read = 0

    def error(self) -> StoppedError | None:
        """Return the error to end the run with; None to go on."""
        if error := self._stop.error():
            return error
        written = self._table.stat().st_mtime_ns if self._table.exists() else 0
        if written == self._read:
            return None
        self._read = written
        return HopelessError() if self._is_hopeless() else None


def train(search: Search, study: Study, trial: OpenTrial, stop: Stop, output: Output) -> None:
    """Train a trial and record its accuracies.

    Raises:
        StoppedError: a signal stopped it; its run has a checkpoint, and the trial is resumed later.
        LtrError: no trial can be trained, as the data set is missing.
    """
    try:
        experiment = search.experiment(trial.words)
        folder = run_folder(experiment)
        trial.begin(folder.name)
        finished = study.rungs()

        def hopeless() -> bool:
            trained = objective.tickets(folder, experiment.replicates)
            return is_hopeless(rungs(search.density, [*trained.values()]), finished)

        watch = Watch(stop, tables.file_of(folder, "results"), hopeless)
        conduct(experiment, search.words(trial.words, experiment), watch, output)
        is_pruned = False
    except HopelessError:
        is_pruned = True
    except ConfigError as error:
        trial.fail(str(error))
        return
    replicates = [*objective.tickets(folder, experiment.replicates).values()]
    values = rungs(search.density, replicates)
    if not is_pruned:
        values |= {len(objective.ladder(search.density)) - 1: accuracy_at(search.density, replicates)}
    trial.finish(values, reached(replicates), is_pruned)
