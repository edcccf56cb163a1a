import argparse
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from ltr.commands import ls
from ltr.errors import ConfigError
from ltr.report import runs

SUMMARY = {
    "rounds_done": 15,
    "replicates": 3,
    "lanes": 183,
    "diverged": 0,
    "ended": 0,
    "density": 0.0352,
    "dense_accuracy": 0.98,
    "ticket_accuracy": 0.97849,
}


def make(root: Path, name: str, info: object, age: int) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(info if isinstance(info, str) else json.dumps(info))
    written = time.time() - age
    os.utime(folder / "run.json", (written, written))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(
        tmp_path,
        "digits-lenet_300_100-3f2a91bc07",
        {"status": "finished", "summary": SUMMARY, "settings": {"steps": "20ep"}},
        7300,
    )
    under_way = {"status": "stopped", "sessions": [{"command": "ltr run seed=1"}], "settings": {"seed": 1}}
    make(tmp_path, "fashion_mnist_long-conv_2-aaaaaaaaaa", under_way, 200)
    make(tmp_path, "digits-lenet_300_100-bbbbbbbbbb", "{", 100000)
    return tmp_path


def run(root: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    ls.arguments(parser)
    return ls.execute(parser.parse_args(["--output-root", str(root), *words]))


def test_a_line_per_run_the_most_recent_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "id         dataset       model         status   rounds reps  ticket  kept  age",
        "aaaaaaaaaa fashion_mnis… conv_2        stopped       -    -       -     -   3m",
        "3f2a91bc07 digits        lenet_300_100 finished     15    3 97.85 % 3.5 %   2h",
        "bbbbbbbbbb digits        lenet_300_100 damaged       -    -       -     -   1d",
    ]
    assert said.err.splitlines() == [
        "they also differ in knobs without a column (--json has all): seed, steps",
        "aaaaaaaaaa stopped; resume it with:",
        "ltr run seed=1",
        f"{root / 'digits-lenet_300_100-bbbbbbbbbb' / 'run.json'}: damaged; lost: the commands of the run "
        "and its arithmetic; restore it from a copy, or the command of the run writes it anew and trains no "
        "lane again",
    ]


def test_errors_and_commands_of_others_control_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = {"status": "failed", "error": "no\x1b[2J", "sessions": [{"command": "ltr run \x9b"}]}
    make(tmp_path, "digits-lenet_300_100-3f2a91bc07", failed, 0)
    assert run(tmp_path) == 0
    said = capsys.readouterr().err
    assert said == "3f2a91bc07 failed (no\\x1b[2J); resume it with:\nltr run \\x9b\n"


def test_differing_knobs_have_columns_as_far_as_the_terminal_is_wide(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    run(root)
    title, *lines = (line.split() for line in capsys.readouterr().out.splitlines())
    assert title[3:6] == ["seed", "steps", "status"]
    assert [line[3:6] for line in lines] == [
        ["1", "1500", "stopped"],
        ["0", "20ep", "finished"],
        ["-", "-", "damaged"],
    ]


def test_a_shared_data_set_gives_its_room_to_knobs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rate in (0.1, 0.3):
        settings = {
            "prune_rate": rate,
            "model.name": "conv2",
            "optimizer.name": "sgd" if rate == 0.1 else "adam",
        }
        make(root, f"digits-conv2-cccccccc{rate}", {"status": "finished", "settings": settings}, 1)
    run(root, "--where=model=conv2", "--sort=prune_rate")
    title, *lines = (line.split() for line in capsys.readouterr().out.splitlines())
    assert title[:4] == ["id", "optimizer", "prune_rate", "status"]
    assert [line[1:3] for line in lines] == [["adam", "0.3"], ["sgd", "0.1"]]


def test_json_has_the_documented_keys(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "--json")
    stopped, finished, damaged = json.loads(capsys.readouterr().out)
    written = finished.pop("written")
    assert finished == {
        "id": "3f2a91bc07",
        "folder": str(root / "digits-lenet_300_100-3f2a91bc07"),
        "dataset": "digits",
        "model": "lenet_300_100",
        "status": "finished",
        "error": None,
        "command": None,
        "obstacle": None,
        "rounds": 15,
        "replicates": 3,
        "diverged": 0,
        "ended": 0,
        "density": 0.0352,
        "dense_accuracy": 0.98,
        "ticket_accuracy": 0.97849,
        "settings": {"steps": "20ep"},
    }
    assert written.endswith("+00:00")
    assert stopped["rounds"] is damaged["ticket_accuracy"] is damaged["settings"] is None
    assert stopped["command"] == "ltr run seed=1"
    for key in [*finished, "written"]:
        assert key in ls.EPILOG


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--where=dataset=digits"], ["3f2a91bc07", "bbbbbbbbbb"]),
        (["--where=dataset != digits"], ["aaaaaaaaaa"]),
        (["--where=dataset=digits", "--where=status=finished"], ["3f2a91bc07"]),
        (["--where=kept<0.1"], ["3f2a91bc07"]),
        (["--where=ticket >= 0.979"], []),
        (["--where=ticket>97"], ["3f2a91bc07"]),
        (["--where=ticket>0.97"], ["3f2a91bc07"]),
        (["--where=ticket<97%"], []),
        (["--where=kept>1%"], ["3f2a91bc07"]),
        (["--where=kept<1"], ["3f2a91bc07"]),
        (["--where=seed=1"], ["aaaaaaaaaa"]),
        (["--where=seed=0"], ["3f2a91bc07"]),
        (["--where=optimizer.clip=null"], ["aaaaaaaaaa", "3f2a91bc07"]),
        (["--where=optimizer.clip!=null"], []),
        (["--where=optimizer.learning_rate<0.002"], ["aaaaaaaaaa", "3f2a91bc07"]),
        (["--where=optimizer.learning_rate=fast"], []),
        (["--where=early_bird=false", "--where=steps=20ep"], ["3f2a91bc07"]),
        (["--where=arm.one_shot.draws>1"], []),
        (["--sort=seed"], ["aaaaaaaaaa", "3f2a91bc07", "bbbbbbbbbb"]),
        (["--sort=steps"], ["aaaaaaaaaa", "3f2a91bc07", "bbbbbbbbbb"]),
        (["--where=rounds=15"], ["3f2a91bc07"]),
        (["--sort=ticket"], ["3f2a91bc07", "aaaaaaaaaa", "bbbbbbbbbb"]),
        (["--sort=dataset"], ["3f2a91bc07", "bbbbbbbbbb", "aaaaaaaaaa"]),
    ],
)
def test_some_runs_in_another_order(
    words: list[str], expected: list[str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "--json", *words) == 0
    assert [entry["id"] for entry in json.loads(capsys.readouterr().out)] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dataset==mnist", "must be a comparison, as in dataset=mnist or kept<0.1"),
        ("mnist", "must be a comparison, as in dataset=mnist or kept<0.1"),
        (
            "age<5",
            "age is no column and no knob of a run; columns are id, dataset, model, status, rounds, reps, "
            "ticket, kept; knobs are in ltr run --help",
        ),
        ("prune_rat<5", "prune_rat is no column and no knob of a run; did you mean prune_rate?"),
        (
            "devices=1",
            "devices is no column and no knob of a run; columns are id, dataset, model, status, "
            "rounds, reps, ticket, kept; knobs are in ltr run --help",
        ),
        ("kept<few", "kept is a number, few is not"),
    ],
)
def test_what_is_no_condition_is_one_clear_line(root: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(root, f"--where={text}")
    assert str(caught.value) == f"--where={text}: {said}"


def test_what_cannot_be_sorted_by_is_one_clear_line(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--sort=prune_rat: prune_rat is no column and no knob"):
        run(root, "--sort=prune_rat")


def test_many_unfinished_runs_are_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        info = {"status": "stopped", "sessions": [{"command": "ltr run"}]}
        make(root, f"digits-lenet-{i:010}", info, i)
    run(root)
    assert (
        "5 runs are not finished; ltr show RUN prints the command that resumes one" in capsys.readouterr().err
    )


def test_a_run_of_a_plugin_that_is_gone_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = {"status": "failed", "sessions": [{"command": "ltr run", "plugins": {"ltr-gone": "1.0"}}]}
    for i in range(3):
        make(tmp_path, f"digits-lenet-{i:010}", info, i)
    run(tmp_path)
    said = [f"{i:010} failed; cannot be resumed: plug-in ltr-gone 1.0 is not installed" for i in range(3)]
    assert capsys.readouterr().err.splitlines() == said
    make(tmp_path, "digits-lenet-aaaaaaaaaa", info, 0)
    run(tmp_path)
    said = ["4 runs cannot be resumed; ltr show RUN names the plug-in that one lacks"]
    assert capsys.readouterr().err.splitlines() == said


def test_no_such_run_is_a_message(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--where=model=vgg") == 0
    assert capsys.readouterr() == ("", f"no such runs in {root}\n")


def test_no_runs_is_a_message_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    assert capsys.readouterr() == ("", f"no runs in {tmp_path}\n")
    run(tmp_path, "--json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(("seconds", "text"), [(59, "59s"), (60, "1m"), (3599, "59m"), (86400, "1d")])
def test_age_is_in_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    assert runs.age(timedelta(seconds=seconds)) == text


def test_of_a_thousand_finished_runs_nothing_but_run_json_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(1000):
        make(tmp_path, f"digits-lenet-{i:010}", {"status": "finished", "summary": SUMMARY}, 0)
    run(tmp_path)
    assert len(capsys.readouterr().out.splitlines()) == 1001


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("command", ["ls", "show"])
def test_importing_a_command_loads_nothing_heavy(command: str) -> None:
    heavy = "{'jax', 'numpy', 'pandas', 'pyarrow', 'matplotlib', 'pydantic', 'yaml'}"
    found = python(f"import sys, ltr.commands.{command}; print({heavy} & set(sys.modules))")
    assert found.stdout == "set()\n"


def test_a_reader_that_has_gone_is_no_error(root: Path) -> None:
    code = f"""
import os, sys
from ltr.cli import main
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
sys.argv = ["ltr", "ls", "--output-root", {str(root)!r}]
sys.exit(main())
"""
    found = python(code)
    assert found.returncode == 0
    assert "rror" not in found.stderr
