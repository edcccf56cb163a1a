"""Studies on disk, with a simulated objective: nothing is lost, nothing is done twice, everything repeats."""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ltr.errors import LtrError
from ltr.tuning.space import parse
from ltr.tuning.study import JOURNAL, Study, Trial, best, opened
from tests.faults import disk

SPACE = parse(["optimizer.learning_rate=tag(log,interval(1e-4,1e-2))", "prune_rate=0.1,0.2,0.4"])


class Death(BaseException):
    """The process dies."""


def accuracy(words: Sequence[str]) -> float:
    """A simulated accuracy of a trial."""
    values = dict(word.split("=") for word in words)
    return 0.9 - abs(float(values["optimizer.learning_rate"]) - 2e-3) * 40 - float(values["prune_rate"]) / 10


def search(folder: Path, number: int, seed: int = 0, dies_in: int = -1) -> list[Trial]:
    """Trials of a study after it was begun, or went on; it dies while the last is trained if asked to."""
    with opened(folder, SPACE, seed) as study:
        while (done := study.ended()) < number:
            trial = study.ask()
            trial.begin(f"run-{done}")
            if done == dies_in:
                raise Death
            trial.finish({0: 0.95, 1: accuracy(trial.words)}, 0.2, is_pruned=False)
        return study.trials()


@contextlib.contextmanager
def died() -> Iterator[None]:
    with pytest.raises(Death):
        yield


def values(trials: Sequence[Trial]) -> list[list[str]]:
    return [trial.words for trial in trials]


def test_a_study_repeats_and_another_seed_is_another_study(tmp_path: Path) -> None:
    first = search(tmp_path / "first", 12)
    assert search(tmp_path / "second", 12) == first
    assert values(search(tmp_path / "third", 12, seed=1)) != values(first)
    assert len({tuple(trial.words) for trial in first}) == 12


def test_a_study_goes_on_with_the_trial_that_died_and_as_if_it_had_not(tmp_path: Path) -> None:
    undisturbed = search(tmp_path / "undisturbed", 14)
    for death in (0, 5, 12):
        with died():
            search(tmp_path / "disturbed", 14, dies_in=death)
    assert search(tmp_path / "disturbed", 14) == undisturbed


def test_the_trial_that_died_is_next(tmp_path: Path) -> None:
    with died():
        search(tmp_path, 3, dies_in=2)
    with opened(tmp_path, SPACE, 0) as study:
        unfinished = study.trials()[-1]
        assert (unfinished.number, unfinished.state, study.ended()) == (3, "unfinished", 2)
        assert study.ask().words == unfinished.words


def test_a_finished_study_asks_nothing_and_more_trials_extend_it(tmp_path: Path) -> None:
    three = search(tmp_path, 3)
    assert search(tmp_path, 3, dies_in=3) == three
    with died():
        search(tmp_path, 4, dies_in=3)
    assert search(tmp_path, 5)[:3] == three


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_write_that_was_cut_off_loses_only_itself(tmp_path: Path, cut: int) -> None:
    undisturbed = search(tmp_path / "undisturbed", 4)
    with died():
        search(tmp_path / "cut", 4, dies_in=3)
    journal = tmp_path / "cut" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    journal.with_name(f"{JOURNAL}.lock").symlink_to(journal)
    assert search(tmp_path / "cut", 4) == undisturbed
    assert search(tmp_path / "cut", 4) == undisturbed


def test_optuna_alone_cannot_read_on_after_such_a_write(tmp_path: Path) -> None:
    """If it can: `_drop_unfinished_write` is needed no more."""
    journal = tmp_path / JOURNAL
    for cut in (0, 5):
        storage = JournalStorage(JournalFileBackend(str(journal)))
        optuna.create_study(storage=storage, study_name="one", load_if_exists=True)
        journal.write_bytes(journal.read_bytes()[: -cut or None])
    storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(storage=storage, study_name="one", load_if_exists=True)
    with pytest.raises((ValueError, KeyError)):
        study.ask()


def test_a_damaged_journal_is_named_on_one_line(tmp_path: Path) -> None:
    search(tmp_path, 2)
    journal = tmp_path / JOURNAL
    journal.write_bytes(b"?" + journal.read_bytes())
    with pytest.raises(LtrError, match=rf"{JOURNAL}: damaged; remove it") as error:
        search(tmp_path, 2)
    assert "\n" not in str(error.value)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path, SPACE, 0), pytest.raises(LtrError, match="another process"):
        search(tmp_path, 1)


def ended(study: Study, rungs: dict[int, float], is_pruned: bool = False) -> None:
    trial = study.ask()
    trial.begin("run")
    trial.finish(rungs, 0.5, is_pruned)


def test_pruned_and_failed_trials_are_neither_best_nor_compared_with(tmp_path: Path) -> None:
    with opened(tmp_path, SPACE, 0) as study:
        assert best(study.trials()) is None
        ended(study, {0: 0.9, 1: 0.5})
        ended(study, {0: 0.99, 1: 0.98}, is_pruned=True)
        study.ask().fail("no memory")
        ended(study, {0: 0.9, 1: 0.7})
        ended(study, {0: 0.9, 1: 0.7})
        assert study.rungs() == [{0: 0.9, 1: 0.5}, {0: 0.9, 1: 0.7}, {0: 0.9, 1: 0.7}]
        trials = study.trials()
    assert [trial.state for trial in trials] == ["finished", "pruned", "failed", "finished", "finished"]
    assert [trial.accuracy for trial in trials] == [0.5, 0.98, None, 0.7, 0.7]
    assert trials[2].error == "no memory"
    chosen = best(trials)
    assert chosen is not None
    assert chosen.number == 4


def test_importance_is_that_of_the_knob_that_decides(tmp_path: Path) -> None:
    with opened(tmp_path, SPACE, 0) as study:
        assert study.importances() == {}
        for _ in range(12):
            trial = study.ask()
            rate = float(trial.words[0].partition("=")[2])
            trial.finish({0: rate}, 0.5, is_pruned=False)
        shares = study.importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["optimizer.learning_rate"] > shares["prune_rate"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc")
def test_a_full_disk_names_the_journal_and_the_study_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    search(folder, 1)
    with disk(folder) as seen:
        search(folder, 2)
    flushes = [number for number, (kind, _) in enumerate(seen.operations) if kind == "fsync"]
    for number in flushes[1:3]:
        with disk(folder, number, False, errno.ENOSPC), pytest.raises(OSError) as raised:  # noqa: PT011
            search(folder, 9)
        assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(folder / JOURNAL))
    assert [trial.state for trial in search(folder, 9)] == ["finished"] * 9
