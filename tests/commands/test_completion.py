"""Completion: what words may become, and that the shells ask for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.cli import main
from ltr.commands.completion import SCRIPTS, candidates

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"run", "report", "completion"}),
        (["re"], {"report"}),
        (["run", "prune"], {"prune_rate="}),
        (["run", "pruning="], {"pruning=global", "pruning=erk"}),
        (["run", "seed=0", "optimizer.na"], {"optimizer.name="}),
        (["run", "optimizer.name="], {"optimizer.name=adam", "optimizer.name=sgd"}),
        (["plan", "early_bird=t"], {"early_bird=true"}),
        (["run", "model.name=l"], {"model.name=lenet_300_100"}),
        (["run", "model.options.b"], {"model.options.blocks="}),
        (["run", "arm.snip.mask=sn"], {"arm.snip.mask=snip"}),
        (["show", "last", "--r"], {"--round", "--replicate"}),
        (["run", "--multi"], {"--multirun"}),
        (["show", ""], {"last"}),
        (["compare", "last", ""], {"last"}),
        (["bench", "seed"], {"seed="}),
        (["completion", "z"], {"zsh"}),
        (["data", "pre"], {"prepare"}),
    ],
)
def test_words_may_become(words: list[str], expected: set[str]) -> None:
    found = set(candidates(words))
    assert expected <= found
    assert all(word.startswith(words[-1] if words else "") for word in found)


@pytest.mark.parametrize(
    ("knob", "values"),
    [
        ("dataset.layout", {"channels_last", "channels_first", "null"}),
        ("dataset.split", {"last", "stratified", "file", "auto"}),
        ("arm.mine.invert", {"true", "false"}),
        ("optimizer.decayed", {"all", "kernels"}),
    ],
)
def test_every_value_of_a_knob_is_listed(knob: str, values: set[str]) -> None:
    assert set(candidates(["run", f"{knob}="])) == {f"{knob}={value}" for value in values}


@pytest.mark.parametrize("words", [["nonsense", ""], ["run", "no_such="], ["run", "steps="], ["doctor", "x"]])
def test_nothing_may_come_of(words: list[str]) -> None:
    assert list(candidates(words)) == []


@pytest.mark.parametrize("option", ["--output-root {}", "--output-root={}"])
def test_runs_are_named(option: str, finished: object, capsys: Captured) -> None:
    root = option.format(finished.root).split(" ")  # type: ignore[attr-defined]
    assert main(["completion", "words", "--", "show", *root, ""]) == 0
    last, *ids = sorted(capsys.readouterr().out.split(), key=len)
    assert last == "last"
    assert [len(run_id) for run_id in ids] == [10]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `ltr` is this one."""
    program = tmp_path / "ltr"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom ltr.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def said(shell: str, code: str, path: str) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    done = subprocess.run(
        [shell, "-c", code], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ltr rep", ["report"]),
        ("ltr run seed=1 prune_", ["prune_rate="]),
        ("ltr run optimizer.name=a", ["adam"]),
        ("ltr run pruning=e", ["erk"]),
    ],
)
def test_bash_completes(line: str, expected: list[str], path: str) -> None:
    code = f"""{SCRIPTS["bash"]}
COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
COMP_LINE='{line}' COMP_POINT={len(line)}
compopt() {{ :; }}
_ltr; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    assert said("bash", code, path) == expected


def test_fish_completes(path: str) -> None:
    code = f"{SCRIPTS['fish']}\ncomplete -C 'ltr run optimizer.name=a'"
    assert said("fish", code, path) == ["optimizer.name=adam"]


def test_zsh_takes_the_script(path: str) -> None:
    code = f"compdef() {{ print defined $1; }}\n{SCRIPTS['zsh']}"
    assert said("zsh", code, path) == ["defined", "_ltr"]
