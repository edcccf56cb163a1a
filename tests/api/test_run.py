"""`ltr.run`, `ltr.plan` and `ltr.compare`: the command line's results; a process left as it was."""

import contextlib
import dataclasses
import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import ltr
from ltr.api.loaded import LoadedRun
from ltr.cli import main
from ltr.config.keywords import words
from ltr.experiment.compose import from_words
from ltr.experiment.observer import RunObserver
from ltr.store.identity import run_id

pytestmark = pytest.mark.usefixtures("compile_once", "rough_times")

Captured = pytest.CaptureFixture[str]

README = Path(__file__).parents[2] / "README.md"

KNOBS: dict[str, Any] = {
    "steps": 20,
    "eval_every": 10,
    "rounds": 1,
    "replicates": 2,
    "arms": ["ticket", "random_reinit"],
    "sparse": "never",
}
WORDS = [
    "steps=20",
    "eval_every=10",
    "rounds=1",
    "replicates=2",
    "arms=[ticket,random_reinit]",
    "sparse=never",
]


def tables(folder: Path) -> dict[str, bytes]:
    """The tables that repeat bit for bit."""
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("metrics", "results")}


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that the command line made; not to be altered."""
    root = tmp_path_factory.mktemp("typed")
    assert main(["run", f"output_root={root}", *WORDS]) == 0
    return next(root.glob("digits-*"))


@pytest.fixture(scope="module")
def other(typed: Path) -> LoadedRun:
    """A run beside it, of another seed, made in another thread while the main one runs too."""
    made: list[LoadedRun] = []

    def run() -> None:
        made.append(ltr.run("seed=1", output_root=typed.parent, **KNOBS))

    thread = threading.Thread(target=run)
    thread.start()
    assert ltr.run(output_root=typed.parent, **KNOBS).folder == typed
    thread.join()
    return made[0]


@contextlib.contextmanager
def interrupted_at_the_first_chunk() -> Iterator[None]:
    """Press Ctrl-C once, while a run trains."""
    on_chunk = RunObserver.on_chunk
    pressed = []

    def press(self: RunObserver, progress: Any) -> Any:
        if not pressed:
            pressed.append(os.kill(os.getpid(), signal.SIGINT))
        return on_chunk(self, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunObserver, "on_chunk", press)
        yield


def test_an_interrupted_run_goes_on_and_ends_with_the_tables_of_the_command_line(
    typed: Path, tmp_path: Path, capsys: Captured
) -> None:
    with interrupted_at_the_first_chunk(), pytest.raises(KeyboardInterrupt, match="stopped by SIGINT"):
        ltr.run(output_root=tmp_path, progress=True, **KNOBS)
    assert ltr.load("last", tmp_path).run.status == "stopped"
    said = capsys.readouterr()
    assert said.out == ""
    assert f"run {tmp_path / typed.name}: 6 trainings of 20 steps\n" in said.err
    run = ltr.run(output_root=tmp_path, **KNOBS)
    assert capsys.readouterr() == ("", "")
    assert run.run.status == "finished"
    assert run.folder == tmp_path / typed.name
    assert tables(run.folder) == tables(typed)
    command = run.run.info["sessions"][-1]["command"]
    assert shlex.split(command) == ["ltr", "run", f"output_root={tmp_path}", *WORDS]


def test_a_run_in_a_thread_is_a_run(other: LoadedRun, typed: Path) -> None:
    assert other.experiment.seed == 1
    assert other.run.status == "finished"
    assert len(other.results) == len(ltr.load(typed).results)


def state_of_the_process() -> list[Any]:
    """What a call may not change."""
    log = logging.getLogger("ltr")
    logs = [(*one.handlers, one.level, one.propagate) for one in (logging.root, log)]
    signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return [*logs, *signals, [*sys.argv], dict(os.environ), Path.cwd(), GlobalHydra.instance().hydra]


def test_a_process_is_left_as_it_was(typed: Path, other: LoadedRun, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("answer: 42\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):  # a program that uses Hydra itself
        before = state_of_the_process()
        for seed in (0, 1):
            ltr.run(seed=seed, output_root=typed.parent, **KNOBS)
        with pytest.raises(ltr.ConfigError):
            ltr.run(optimizer="adamw")
        assert state_of_the_process() == before
        assert compose("mine").answer == 42


def test_a_plan_is_that_of_the_command_line(capsys: Captured) -> None:
    plan = ltr.plan("seed=3", **KNOBS)
    assert main(["plan", "seed=3", *WORDS, "--json"]) == 0
    measured = {"seconds": 0}
    assert dataclasses.asdict(plan) | measured == json.loads(capsys.readouterr().out) | measured
    assert repr(plan).splitlines()[0] == f"run        {plan.folder}"
    assert f"<th>run</th><td>{plan.folder}</td>" in plan._repr_html_()


def test_words_and_keywords_are_one_run(typed: Path) -> None:
    def run_of(texts: list[str], knobs: dict[str, Any]) -> str:
        return run_id(from_words(words(texts, knobs)))

    assert run_of(WORDS, {}) == run_of([], KNOBS) == typed.name.rsplit("-", 1)[1]
    nested = KNOBS | {"optimizer": {"momentum": 0.8}}
    momentum = ["optimizer=momentum", "optimizer.momentum=0.8"]
    assert run_of(momentum[:1], nested) == run_of([*WORDS, *momentum], {})


@pytest.mark.parametrize(
    ("word", "knobs"),
    [
        ("prune_rat=0.3", {"prune_rat": 0.3}),
        ("prune_rate=abc", {"prune_rate": "abc"}),
        ("rounds=-1", {"rounds": -1}),
        ("rounds=true", {"rounds": True}),
        ("dataset=digit", {"dataset": "digit"}),
        ("arms=[ticket,one_shoot]", {"arms": ["ticket", "one_shoot"]}),
        ("optimizer.momentum=2", {"optimizer": {"momentum": 2}}),
    ],
)
@pytest.mark.parametrize("function", [ltr.run, ltr.plan])
def test_a_wrong_knob_is_refused_with_the_sentence_of_the_command_line(
    word: str, knobs: dict[str, Any], function: Callable[..., Any], tmp_path: Path, capsys: Captured
) -> None:
    root = f"output_root={tmp_path / 'runs'}"
    assert main(["run", *WORDS, root, word]) == 2
    with pytest.raises(ltr.ConfigError) as caught:
        function(*WORDS, root, **knobs)
    assert capsys.readouterr().err == f"ltr run: {caught.value}\n"
    assert not (tmp_path / "runs").exists()


def test_a_call_is_no_process_of_several(tmp_path: Path) -> None:
    with pytest.raises(ltr.ConfigError, match=r"^hosts.count=2: several processes train a run by ltr run"):
        ltr.run(output_root=tmp_path, hosts={"count": 2})


def test_a_comparison_is_that_of_the_command_line(typed: Path, other: LoadedRun, capsys: Captured) -> None:
    found = ltr.compare([typed, other], arm="random_reinit")
    assert main(["compare", str(typed), str(other.folder), "--arm=random_reinit", "--csv"]) == 0
    assert found.to_csv(index=False) == capsys.readouterr().out
    assert found.attrs["runs"] == [
        {"run": str(typed), "paired": True, "seed": None},
        {"run": str(other.folder), "paired": False, "seed": 1},
    ]


def test_what_cannot_be_compared_is_refused(typed: Path, other: LoadedRun) -> None:
    for runs, arm, message in (
        ([], "ticket", "no run; name two or more to compare"),
        ([other], "ticket", "is one run; name two or more to compare"),
        (other, "ticket", "is one run; name two or more to compare"),
        (str(typed), "ticket", "is one run; name two or more to compare"),
        ([typed, ltr.load(typed)], "ticket", "name different runs"),
        ([typed, other], "snip", f"arm snip: {typed} has random_reinit, ticket"),
    ):
        with pytest.raises(ltr.ConfigError, match=message):
            ltr.compare(runs, arm)


def test_a_notebook_shows_a_run_as_a_table(other: LoadedRun) -> None:
    shown = other._repr_html_()
    assert f"<p>{other.folder}, finished</p>" in shown
    accuracy = other.rounds.query("arm == 'random_reinit'")["accuracy"].item()
    assert f"<td>{100 * accuracy:.2f} ± " in shown
    assert "<th>random_reinit</th>" in shown
    assert "<p>Nothing is decided: 2 replicates leave every claim open.</p>" in shown


def test_the_calls_of_the_readme_are_accepted() -> None:
    def accept(*texts: str, **knobs: Any) -> None:
        from_words(words(texts, knobs))

    calls = re.findall(r"^    \w+ = (ltr\.run\(.*\))$", README.read_text(), re.M)
    assert len(calls) == 2
    for call in calls:
        eval(call, {"ltr": SimpleNamespace(run=accept)})


def test_importing_ltr_imports_nothing_heavy() -> None:
    heavy = ("jax", "numpy", "pandas", "hydra", "omegaconf", "pydantic")
    script = f"import sys, ltr; ltr.ConfigError; dir(ltr); print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


def test_every_public_name_is_there_and_documented() -> None:
    assert set(ltr.__all__) <= set(dir(ltr))
    assert [name for name in ltr.__all__ if name != "__version__" and not getattr(ltr, name).__doc__] == []
