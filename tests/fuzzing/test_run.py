"""`ltr run` of any small experiment keeps what pruning promises, or says in one line which knob is wrong."""

import contextlib
import io
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given

from ltr.api.loaded import load
from ltr.arms.lanes import lanes
from ltr.cli import main
from ltr.core import masks
from ltr.experiment.compose import from_words
from ltr.experiment.joint import Trainings
from ltr.experiment.session import Observer, Session
from ltr.experiment.spec import RunSpec
from ltr.interrupts import SIGNALS
from ltr.pruning.targets import kept
from ltr.store import chains
from ltr.store.folder import RunFolder, round_name
from ltr.store.identity import folder_name
from ltr.store.tables import LANE, LANES, file_of
from tests.fuzzing import invariants
from tests.fuzzing.configurations import SMALL, small_runs
from tests.fuzzing.examples import always_others, always_the_same
from tests.fuzzing.naming import points_at

TINY = (*SMALL, "rounds=0", "model.width=0.05", "batch_size=30", "arms=[ticket]")


def ran(words: Sequence[str]) -> tuple[int, str]:
    """The exit code of a run, and what it prints on standard error.

    Raises:
        KeyboardInterrupt: a signal stopped the run, and so the test; Hypothesis would shrink a failure.
    """
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = main(["run", *words])
    if code in {128 + number for number in SIGNALS}:
        raise KeyboardInterrupt
    return code, err.getvalue()


def check(words: Sequence[str], root: Path) -> int:
    """Hold a run to what it promises; return its exit code."""
    asked = [*words, f"output_root={root}"]
    with invariants.watched() as lanes:
        code, err = ran(asked)
    if code:
        said = [line for line in err.splitlines() if line.startswith("ltr run: ")]
        assert code in (1, 2), err
        assert len(said) == 1, err
        assert "Traceback" not in err
        assert points_at(said[0], words), said
        return code
    experiment = from_words(asked)
    spec = RunSpec.from_experiment(experiment)
    path = root / folder_name(experiment)
    check_rows(spec, path)
    check_tickets(spec, path)
    invariants.check(spec, lanes)
    before = [file_of(path, name).read_bytes() for name in LANES]
    code, err = ran(asked)
    assert code == 0, err
    assert "finished before, nothing to train" in err
    assert [file_of(path, name).read_bytes() for name in LANES] == before
    return 0


def check_rows(spec: RunSpec, path: Path) -> None:
    """There is a row for each lane, but for those of a chain that ended early; looks may add replicates."""
    results = load(path).results
    experiment = replace(spec.experiment, replicates=results["replicate"].nunique())
    assert experiment.replicates in (spec.experiment.replicates, *spec.experiment.claims.looks)
    ends = chains.ends(results, experiment)
    wanted = {
        tuple(lane)
        for number in range(experiment.rounds + 1)
        for lane in lanes(experiment, number)
        if lane.replicate not in ends or number <= ends[lane.replicate].last_round
    }
    assert set(results[[*LANE]].itertuples(index=False, name=None)) == wanted


def check_tickets(spec: RunSpec, path: Path) -> None:
    """Each ticket is saved with exactly its target, within the one before, its pruned weights zero."""
    results = load(path).results
    tickets = results[results["arm"] == "ticket"]
    before: Any = None
    for number in sorted(set(tickets["round"])):
        ticket = RunFolder(path).groups.load(round_name(number), 0)
        mask = ticket["mask"]
        assert masks.count(mask) == kept(spec.targets[number])
        for params in (ticket["start"], ticket["trained"]):
            pairs = zip(*map(jax.tree.leaves, (params, masks.apply(mask, params))), strict=True)
            assert all(np.array_equal(own, masked, equal_nan=True) for own, masked in pairs)
        if before is not None:
            both = zip(jax.tree.leaves(before), jax.tree.leaves(mask), strict=True)
            assert not any((new & ~old).any() for old, new in both)
        before = mask


@always_the_same(1)
@given(small_runs())
def test_a_small_run_keeps_what_pruning_promises(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as root:
        check(words, Path(root))


@always_the_same(100)
@given(small_runs())
def test_small_runs_are_of_data_that_every_machine_has(words: list[str]) -> None:
    assert [word for word in words if word.startswith("dataset.name=")] == []


@pytest.mark.slow
@always_others("LTR_FUZZED_RUNS", 300)
@given(small_runs())
def test_hundreds_of_small_runs_keep_what_pruning_promises(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as root:
        check(words, Path(root))


def test_the_check_notices_a_mask_of_another_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = masks.count
    monkeypatch.setattr(masks, "count", lambda mask: right(mask) + 1)
    with pytest.raises(AssertionError):
        check(TINY, tmp_path)


def test_a_claim_without_its_arm_is_refused_by_the_name_of_the_knob(tmp_path: Path) -> None:
    assert check([*TINY, "claims.most=3"], tmp_path) == 2


def test_replicates_that_looks_add_are_expected(tmp_path: Path) -> None:
    arms = "arms=[ticket,random_reinit,random_mask]"
    assert check([*TINY[:-1], arms, "claims.most=3"], tmp_path) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_a_run_ends_the_test(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Session.draw_initial_weights

    def interrupted(session: Session, observer: Observer) -> Trainings:
        os.kill(os.getpid(), number)
        yield from draw(session, observer)

    monkeypatch.setattr(Session, "draw_initial_weights", interrupted)

    @always_the_same(5)
    @given(small_runs())
    def fuzzed(_: list[str]) -> None:
        check(TINY, tmp_path)

    with pytest.raises(KeyboardInterrupt):
        fuzzed()
