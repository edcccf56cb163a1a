"""`ltr tune`: trials are ordinary runs, a study goes on after a kill, wrong searches are refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ltr.cli import main
from ltr.commands.completion import candidates
from ltr.experiment import runner
from ltr.store.catalog import all_runs
from ltr.tuning import search

WORDS = (
    *("steps=20", "eval_every=10", "replicates=1", "sparse=never", "batch_size=60"),
    "optimizer.learning_rate=1e-3,1e-2",
    "prune_rate=interval(0.2,0.3)",
)
OPTIONS = ("--density", "0.8", "--json")

Tune = Callable[..., dict[str, Any]]


@pytest.fixture
def tune(root: Path, capsys: pytest.CaptureFixture[str]) -> Tune:
    """`ltr tune` below `root`; what it prints as JSON."""

    def tuned(*words: str, trials: int) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["tune", f"output_root={root}", *WORDS, *words, *OPTIONS, "--trials", str(trials)]) == 0
        return dict(json.loads(capsys.readouterr().out))

    return tuned


def test_trials_are_ordinary_runs_and_a_finished_one_is_not_done_twice(
    tune: Tune, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = tune(trials=2)
    runs = {run.id: run for run in all_runs(root)}
    for trial in two["trials"]:
        run = runs[trial["run"].rpartition("-")[2]]
        assert run.status == "finished"
        assert run.experiment().arms == ("ticket",)
        metrics = pd.read_parquet(run.folder / "metrics.parquet")
        at_end = metrics[metrics["round"] == 1].sort_values("val_loss").iloc[0]["val_accuracy"]
        if metrics["density"].min() > 0.796:
            assert trial["accuracy"] == pytest.approx(float(at_end))
    with monkeypatch.context() as patch:
        patch.setattr(search, "conduct", None)  # nothing is trained
        assert tune(trials=2) == two
    assert tune(trials=3)["trials"][:2] == two["trials"]
    assert len([*all_runs(root)]) == 3


@pytest.mark.slow
def test_the_next_command_tests_the_best_on_another_seed(
    root: Path, tune: Tune, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = tune(trials=2)
    best = outcome["trials"][outcome["best"] - 1]
    assert best["accuracy"] == max(trial["accuracy"] for trial in outcome["trials"])
    assert outcome["next"].endswith("rounds=1 seed=1")
    assert "arms=" not in outcome["next"]
    assert set(best["words"]) < set(outcome["next"].split())
    assert main(["tune", f"output_root={root}", *WORDS, *OPTIONS[:2], "--trials", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-1].strip() == outcome["next"]
    assert any("promise too much" in line for line in lines)


def test_a_trial_is_pruned_between_rounds(tune: Tune, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "is_hopeless", lambda own, finished: bool(finished))
    outcome = tune(trials=2)
    assert [trial["state"] for trial in outcome["trials"]] == ["finished", "pruned"]
    assert outcome["best"] == 1
    assert outcome["trials"][1]["density"] == 1.0
    runs = {run.folder.name: run for run in all_runs(root)}
    assert runs[outcome["trials"][1]["run"]].status == "stopped"


@pytest.mark.slow
def test_an_impossible_trial_fails_and_stops_no_other(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    conduct = runner.conduct

    def refuses_one(experiment: Any, *more: Any) -> None:
        if experiment.optimizer.learning_rate == 1e-2:
            raise search.ConfigError("no memory")
        conduct(experiment, *more)

    monkeypatch.setattr(search, "conduct", refuses_one)
    trials = tune(trials=4)["trials"]
    assert {trial["state"] for trial in trials} == {"finished", "failed"}
    assert {trial["error"] for trial in trials} == {"", "no memory"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rounds=3",), "has as many rounds as reach the density"),
        (
            ("replicates=auto", "arms=[ticket,random_reinit,random_mask]"),
            "test accuracies, which none must see",
        ),
        (("arms=[random_mask]",), "arm"),
        (("hosts.count=2",), "hosts.count=2: several processes"),
        (("optimizer.momentum=0.5,2",), "optimizer.momentum"),
        (("steps=interval(20,40)",), "steps=interval(20,40): steps takes whole numbers"),
        (("pruning=global", "pruning.densities=[0.9]", "prune_rate=0.2"), "not reached in 1 rounds"),
    ],
)
def test_wrong_searches_are_refused_before_anything_is_trained(
    root: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert main(["tune", f"output_root={root}", *WORDS, *words, *OPTIONS]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not root.exists()


@pytest.mark.parametrize("option", ["--trials=0", "--density=0", "--density=2", "--density=x"])
def test_wrong_options_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["tune", *WORDS, option])
    assert "must be a" in capsys.readouterr().err


def test_words_are_completed() -> None:
    assert "--density" in {*candidates(["tune", "--"])}
    assert "prune_rate=" in {*candidates(["tune", "prune_r"])}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_study_survives_a_signal_in_the_midst_of_a_trial(root: Path, tune: Tune, number: int) -> None:
    undisturbed = tune(trials=3)
    elsewhere = root.parent / "disturbed"
    words = ["tune", f"output_root={elsewhere}", *WORDS, *OPTIONS, "--trials", "3"]
    begun = 0
    while begun < 3:  # killed as soon as another trial has begun
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from ltr.cli import main; sys.exit(main())", *words],
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and len([*elsewhere.glob("*/config.yaml")]) <= begun:
            time.sleep(0.05)
        begun += 1
        if process.poll() is None:
            process.send_signal(number)
        process.communicate()
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from ltr.cli import main; sys.exit(main())", *words],
        stdout=subprocess.PIPE,
        check=True,
    )
    outcome = json.loads(done.stdout)
    assert [trial["words"] for trial in outcome["trials"]] == [t["words"] for t in undisturbed["trials"]]
    assert [trial["run"] for trial in outcome["trials"]] == [t["run"] for t in undisturbed["trials"]]
    assert {run.status for run in all_runs(elsewhere)} == {"finished"}
    assert len([*all_runs(elsewhere)]) == 3
