"""Packed sweeps: the runs, tables and records of jobs that train together are those of separate jobs."""

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ltr.cli import main
from ltr.errors import LtrError
from ltr.experiment import runner, session, together
from ltr.store.catalog import Run
from ltr.store.lock import locked
from ltr.sweeps import packed, plan
from tests.experiment.runs import contents

pytestmark = pytest.mark.usefixtures("compile_once", "rough_times")

SMALL = ("replicates=1", "rounds=2", "steps=20", "eval_every=10", "arms=[ticket,one_shot]", "sparse=never")
WORDS = ("-m", "seed=0,1", "prune_rate=0.2,0.5", *SMALL)


def run(root: Path, *words: str) -> int:
    return main(["run", *WORDS, *words, f"output_root={root}"])


def records(root: Path) -> list[dict[str, Any]]:
    """The records of the last sweep's jobs."""
    *_, last = sorted(root.glob("sweeps/*"))
    return [json.loads(path.read_text()) for path in sorted(last.glob("job_*.json"))]


def folders(root: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(root.glob("*/run.json"))}


@pytest.fixture(scope="module")
def separate(compile_once: None, rough_times: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("separate")
    assert run(root, "hydra/launcher=basic") == 0
    return root


def assert_like(separate: Path, root: Path) -> None:
    assert folders(root).keys() == folders(separate).keys()
    for name, folder in folders(separate).items():
        assert contents(root / name) == contents(folder)


def assert_completes(separate: Path, root: Path) -> None:
    assert run(root) == 0
    assert_like(separate, root)


def test_tables_records_and_looks_are_those_of_separate_jobs(
    separate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    shown = capsys.readouterr()
    assert "4 runs train side by side" in shown.err
    assert len(shown.out.splitlines()) == 6  # the table of the runs alone
    assert_like(separate, tmp_path)
    for one, other in zip(records(separate), records(tmp_path), strict=True):
        assert (one["number"], one["state"], one["error"]) == (other["number"], "finished", "")
        assert Path(one["folder"]).name == Path(other["folder"]).name
    for name, folder in folders(separate).items():
        assert (
            json.loads((tmp_path / name / "looks.json").read_text())["looks"]
            == (json.loads((folder / "looks.json").read_text())["looks"])
        )
        commands = [Run(root / name).info["sessions"][0]["command"] for root in (separate, tmp_path)]
        assert commands[1].replace(str(tmp_path), str(separate)) == commands[0].replace(
            " hydra/launcher=basic", ""
        )
        log = (tmp_path / name / "log.txt").read_text()
        assert log.count("round 2 is done") == 1


@pytest.mark.slow
def test_a_job_that_fails_leaves_the_others(
    separate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = session.Session.commit

    def failing(of: session.Session, round_number: int, *rest: Any) -> None:
        if round_number == 1 and of.experiment.seed == 1 and of.experiment.prune_rate == 0.5:
            raise LtrError("full disk")
        commit(of, round_number, *rest)

    monkeypatch.setattr(session.Session, "commit", failing)
    assert run(tmp_path) == 1
    assert [record["state"] for record in records(tmp_path)] == ["finished"] * 3 + ["failed"]
    monkeypatch.undo()
    assert_completes(separate, tmp_path)


@pytest.mark.slow
def test_a_signal_stops_all_after_a_checkpoint_and_they_go_on_together(
    separate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = session.Session.commit

    def interrupted(of: session.Session, round_number: int, *rest: Any) -> None:
        commit(of, round_number, *rest)
        if round_number == 0 and of.experiment.seed == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            monkeypatch.setattr(session.Session, "commit", commit)

    monkeypatch.setattr(session.Session, "commit", interrupted)
    assert run(tmp_path) == 143
    assert [record["exit_code"] for record in records(tmp_path)] == [143] * 4
    assert_completes(separate, tmp_path)


@pytest.mark.slow
def test_a_stopped_batch_is_resumed_inside_its_round(
    separate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = runner.Stop.error
    calls = []

    def stopping(stop: runner.Stop) -> Any:
        calls.append(1)
        if len(calls) == 20:
            os.kill(os.getpid(), signal.SIGTERM)
        return error(stop)

    monkeypatch.setattr(runner.Stop, "error", stopping)
    assert run(tmp_path) == 143
    assert [*tmp_path.glob("*/checkpoints/under_way.zip")]
    monkeypatch.undo()
    assert_completes(separate, tmp_path)


@pytest.mark.slow
def test_checkpoints_are_written_while_lanes_of_other_runs_alone_have_begun(tmp_path: Path) -> None:
    assert run(tmp_path, "seed=0,1,2", "rounds=0", "arms=[ticket]", "checkpoint_every=1e-6") == 0
    assert [record["state"] for record in records(tmp_path)] == ["finished"] * 6


@pytest.mark.slow
def test_a_job_waits_for_the_process_that_writes_its_run(
    separate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = min(folders(separate))
    (tmp_path / name).mkdir(parents=True)
    states: list[list[str]] = []
    held = contextlib.ExitStack()
    held.enter_context(locked(tmp_path / name))

    def wait(seconds: float) -> None:
        states.append(sorted(record["state"] for record in records(tmp_path)))
        if len(states) == 3:
            held.close()

    attempts, train = [], packed._train
    monkeypatch.setattr(packed, "_train", lambda *args: attempts.append(args) or train(*args))
    monkeypatch.setattr(packed, "time", SimpleNamespace(sleep=wait))
    assert_completes(separate, tmp_path)
    assert states == [["finished"] * 3 + ["waiting"]] * 3
    assert len(attempts) == 2  # none while the run is written


def packs(*sweep: str) -> list[list[int]]:
    return together.packs(plan.checked(sweep).experiments)


@pytest.mark.parametrize(
    ("words", "divided"),
    [
        (["seed=0,1", "prune_rate=0.2,0.4", "rewind_step=0,10"], [[*range(8)]]),
        (["optimizer.learning_rate=0.1,0.2", "seed=0,1"], [[0, 1], [2, 3]]),
        (["rounds=1,2", "seed=0,1"], [[0, 1], [2, 3]]),
    ],
)
def test_runs_of_the_same_programs_and_of_other_folders_train_together(
    words: Sequence[str], divided: list[list[int]], tmp_path: Path
) -> None:
    assert packs(*words, f"output_root={tmp_path}") == divided


def test_memory_bounds_the_runs_of_a_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    experiments = plan.checked(["seed=0,1,2,3,4"]).experiments
    need = together.needed(together.RunSpec.from_experiment(experiments[0]))
    whole = need.of_host(together.place(together.RunSpec.from_experiment(experiments[0])))
    monkeypatch.setattr(together.machine, "memory", lambda: whole + need.networks)
    assert together.packs(experiments) == [[0, 1], [2, 3], [4]]
    monkeypatch.setattr(together.machine, "memory", lambda: 1)
    assert together.packs(experiments) == [[0], [1], [2], [3], [4]]
