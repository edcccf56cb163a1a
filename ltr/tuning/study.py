"""Study on disk: the trials of a search, in Optuna's journal, so that nothing is lost when its process dies.

One process at a time holds the lock of a study. A trial whose process died is enqueued again with its values;
its run folder is the same, so it is resumed.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ltr.core import atomic
from ltr.errors import LtrError
from ltr.store.lock import locked
from ltr.tuning.space import Space

JOURNAL = "journal.log"
"""File of a study's folder that Optuna writes."""

WORDS, RUN, ERROR, DENSITY = "words", "run", "error", "density"
"""Attributes of a trial: its overrides, its run folder, its error, the last density reached."""


class Trial(NamedTuple):
    """Trial of a study.

    Attributes:
        number: index in the study, from 1.
        words: overrides that choose its values.
        state: `finished`, `pruned`, `failed`, or `unfinished`.
        accuracy: validation accuracy at the requested density; of a pruned trial, at `density`; None without.
        density: last density that was reached; None without.
        run: name of its run folder; empty without.
        error: why it cannot be trained; empty if it can.
    """

    number: int
    words: list[str]
    state: str
    accuracy: float | None = None
    density: float | None = None
    run: str = ""
    error: str = ""


STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
    TrialState.WAITING: "unfinished",
}


class Study:
    """Study, whose lock this process holds.

    Args:
        optimizer: Optuna's study.
        space: search space.
        seed: seed of the sampler. Each trial draws from a generator of its own, by its number, so a study
            that was interrupted chooses what it would have chosen.
    """

    def __init__(self, optimizer: optuna.Study, space: Space, seed: int) -> None:
        self._optimizer, self._space, self._seed = optimizer, space, seed

    def ask(self) -> "OpenTrial":
        """Return the next trial: one that was interrupted, else a new one."""
        seed = np.random.SeedSequence((self._seed, self.ended())).generate_state(1)[0]
        self._optimizer.sampler = optuna.samplers.TPESampler(seed=int(seed))
        trial = self._optimizer.ask(self._space.knobs)
        trial.set_user_attr(WORDS, self._space.words(trial.params))
        return OpenTrial(self._optimizer, trial)

    def trials(self) -> list[Trial]:
        """Return the trials, in order."""
        return [_plain(number, trial) for number, trial in enumerate(self._kept(), 1)]

    def ended(self) -> int:
        """Return the number of trials that are neither open nor enqueued."""
        return sum(one.state.is_finished() for one in self._kept())

    def rungs(self) -> list[dict[int, float]]:
        """Return the accuracies of each finished trial by index in the ladder of densities."""
        return [trial.intermediate_values for trial in self._kept() if trial.state == TrialState.COMPLETE]

    def importances(self) -> dict[str, float]:
        """Return the share of each knob in the variance of the accuracy; empty if it cannot be told."""
        finished = [trial for trial in self._kept() if trial.state == TrialState.COMPLETE]
        if len(self._space.knobs) < 2 or len({trial.value for trial in finished}) < 4:
            return {}
        return dict(optuna.importance.get_param_importances(self._optimizer))

    def _kept(self) -> list[FrozenTrial]:
        """Return the trials without those that died, and were enqueued again."""
        trials = self._optimizer.get_trials(deepcopy=False)
        return [one for one in trials if one.state != TrialState.FAIL or ERROR in one.user_attrs]


class _Journal(JournalFileBackend):
    """Optuna's journal in a file, which errors of writing name."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        with atomic.named(self._file_path):
            super().append_logs(logs)


class OpenTrial:
    """Trial that is being trained."""

    def __init__(self, optimizer: optuna.Study, trial: optuna.Trial) -> None:
        self._optimizer, self._trial = optimizer, trial

    @property
    def words(self) -> list[str]:
        """Overrides that choose its values."""
        return list(self._trial.user_attrs[WORDS])

    def begin(self, run: str) -> None:
        """Record the name of its run folder."""
        self._trial.set_user_attr(RUN, run)

    def finish(self, rungs: Mapping[int, float], density: float, is_pruned: bool) -> None:
        """Record the accuracies at the densities that it reached; the last is its value."""
        for index, accuracy in rungs.items():
            self._trial.report(accuracy, index)
        self._trial.set_user_attr(DENSITY, density)
        if is_pruned:
            self._optimizer.tell(self._trial, state=TrialState.PRUNED)
        else:
            self._optimizer.tell(self._trial, rungs[max(rungs)])

    def fail(self, error: str) -> None:
        """Record that its values cannot be trained."""
        self._trial.set_user_attr(ERROR, error)
        self._optimizer.tell(self._trial, state=TrialState.FAIL)


@contextlib.contextmanager
def opened(folder: Path, space: Space, seed: int) -> Iterator[Study]:
    """Hold the lock of a study's folder, which is made if it is absent, and yield the study.

    Raises:
        LtrError: the journal is damaged, or another process holds the lock.
        OSError: the folder cannot be written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _drop_unfinished_write(folder / JOURNAL)
        try:
            optimizer = optuna.create_study(
                storage=JournalStorage(_Journal(str(folder / JOURNAL))),
                study_name=folder.name,
                direction="maximize",
                load_if_exists=True,
            )
        except (ValueError, KeyError, TypeError, AssertionError):
            raise LtrError(
                f"{folder / JOURNAL}: damaged; remove it, and the same command finds the same trials again, "
                "without training a finished run twice"
            ) from None
        _enqueue_interrupted(optimizer)
        yield Study(optimizer, space, seed)


def _drop_unfinished_write(journal: Path) -> None:
    """Remove the last line if it was not written to its end, and the lock of the process that was writing it.

    Optuna reads past such a line, but appends to it, and can then read nothing that follows.
    """
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists():
        whole = journal.read_bytes().rpartition(b"\n")
        if whole[2]:
            with journal.open("r+b") as file:
                file.truncate(len(whole[0]) + len(whole[1]))


def _enqueue_interrupted(optimizer: optuna.Study) -> None:
    """Enqueue again the values of trials whose process died; no process trains them, as the lock is held."""
    for trial in optimizer.get_trials(states=[TrialState.RUNNING]):
        if WORDS in trial.user_attrs:
            optimizer.enqueue_trial(trial.params, {WORDS: trial.user_attrs[WORDS]})
        optimizer.tell(trial.number, state=TrialState.FAIL)


def _plain(number: int, trial: FrozenTrial) -> Trial:
    attributes: dict[str, Any] = trial.user_attrs
    accuracy = trial.value if trial.state != TrialState.PRUNED else _last(trial.intermediate_values)
    return Trial(
        number,
        list(attributes.get(WORDS, ())),
        STATES[trial.state],
        accuracy,
        attributes.get(DENSITY),
        attributes.get(RUN, ""),
        attributes.get(ERROR, ""),
    )


def _last(rungs: Mapping[int, float]) -> float | None:
    return rungs[max(rungs)] if rungs else None


def best(trials: Sequence[Trial]) -> Trial | None:
    """Return the finished trial of the highest accuracy, the first of equals; None if none has finished."""
    finished = [trial for trial in trials if trial.state == "finished"]
    return max(finished, key=lambda trial: (trial.accuracy or 0.0, -trial.number), default=None)
