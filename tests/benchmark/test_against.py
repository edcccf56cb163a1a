"""`ltr bench --against`: turns, medians and ratios, and what it says when something is wrong."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ltr.benchmark import against, source_tree
from ltr.benchmark.against import Row, rows, take_turns
from ltr.benchmark.source_tree import SourceTree
from ltr.cli import main
from ltr.errors import ConfigError, LtrError

Captured = pytest.CaptureFixture[str]

HERE, THERE = (
    SourceTree(name, Path("/nowhere", name), Path("/nowhere")) for name in ("this tree", "8d457bc")
)


def measurement(*speeds: tuple[float, float, float]) -> dict[str, Any]:
    """What a tree prints: density, dense and packed speed of each row."""
    return {
        "machine": {"cores": 2},
        "rows": [dict(zip(("density", "dense", "packed"), row, strict=True)) for row in speeds],
    }


def test_rows_are_medians_and_ratios_of_the_same_turn() -> None:
    turns = [
        (measurement((1.0, 10, 20), (0.1, 10, 80)), measurement((1.0, 5, 20), (0.1, 5, 40))),
        (measurement((1.0, 12, 10), (0.1, 10, 80)), measurement((1.0, 4, 10), (0.1, 5, 20))),
        (measurement((1.0, 2, 30), (0.1, 10, 80)), measurement((1.0, 2, 10), (0.1, 5, 80))),
    ]
    assert rows(turns) == [
        Row(1.0, "dense", 10, 4, 2.0, 1.0, 3.0),
        Row(1.0, "packed", 20, 10, 1.0, 1.0, 3.0),
        Row(0.1, "dense", 10, 5, 2.0, 2.0, 2.0),
        Row(0.1, "packed", 80, 40, 2.0, 1.0, 4.0),
    ]


def test_trees_take_turns_in_alternating_order_with_the_time_that_is_left() -> None:
    order, said, times = [], [], iter([0, 10, 10, 30, 30, 50, 50, 60])

    def measure(tree: SourceTree) -> dict[str, Any]:
        order.append(tree)
        return {"tree": tree.name}

    turns = take_turns(HERE, THERE, measure, 2, said.append, lambda: next(times))
    assert turns == [({"tree": "this tree"}, {"tree": "8d457bc"})] * 2
    assert order == [HERE, THERE, THERE, HERE]
    assert said == [
        "turn 1/2: this tree",
        "turn 1/2: 8d457bc, about 0:30 left",
        "turn 2/2: 8d457bc, about 0:40 left",
        "turn 2/2: this tree, about 0:20 left",
    ]


@pytest.mark.parametrize(
    ("status", "printed", "error", "said"),
    [
        (
            2,
            "",
            ConfigError,
            r"8d457bc refuses these words: ltr bench: arithmetic=xla: no such knob",
        ),
        (1, "", LtrError, "8d457bc: its ltr bench ended with status 1 and says: ltr bench: arithmetic=xla"),
        (0, "{}", LtrError, "8d457bc: its ltr bench ended with status 0 and says: ltr bench: arithmetic=xla"),
    ],
)
def test_a_process_that_fails_is_one_line(
    status: int, printed: str, error: type[LtrError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = "a warning\nltr bench: arithmetic=xla: no such knob\n"
    done = subprocess.CompletedProcess([], status, printed, stderr)
    monkeypatch.setattr(against, "run_python", lambda *_, **__: done)
    with pytest.raises(error, match=said):
        against.measured(THERE, ["arithmetic=xla"])


def test_a_process_has_the_tree_and_the_caches_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    started: dict[str, Any] = {}

    def run(arguments: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        started.update(arguments=arguments, env=env)
        return subprocess.CompletedProcess([], 0, json.dumps(measurement((1.0, 2, 3)) | {"turns": 1}), "")

    monkeypatch.setattr(against, "run_python", run)
    assert against.measured(THERE, ["model=conv2"]) == measurement((1.0, 2, 3))
    assert started["arguments"][2:] == ["bench", "--json", "--repeats=1", "model=conv2"]
    assert started["env"]["PYTHONPATH"] == "/nowhere/8d457bc"
    assert started["env"]["XDG_CACHE_HOME"] == "/nowhere"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of one commit, whose file `ltr/version.py` has been edited since."""
    root = tmp_path / "clone"
    (root / "ltr" / "benchmark").mkdir(parents=True)
    (root / "ltr" / "version.py").write_text("old")
    who = ["-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    (root / "ltr" / "version.py").write_text("new")
    monkeypatch.setattr(source_tree, "__file__", str(root / "ltr" / "benchmark" / "source_tree.py"))
    return root


def test_a_commit_is_copied_and_nothing_of_it_is_left(clone: Path) -> None:
    with source_tree.this_and("HEAD") as (here, there):
        assert (here.name, here.root) == ("this tree", clone)
        assert (here.root / "ltr" / "version.py").read_text() == "new"
        assert (there.root / "ltr" / "version.py").read_text() == "old"
        assert there.name in subprocess.check_output(
            ["git", "-C", str(clone), "rev-parse", "HEAD"], text=True
        )
        assert here.caches != there.caches
    assert not there.root.parent.exists()


def test_an_interrupt_leaves_nothing(clone: Path) -> None:
    def interrupted() -> None:
        with source_tree.this_and("HEAD") as (_, there):
            copies.append(there.root)
            raise KeyboardInterrupt

    copies: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not copies[0].parent.exists()


@pytest.mark.parametrize("commit", ["0123abc", "--help", "no such"])
def test_an_unknown_commit_is_one_line(clone: Path, commit: str, capsys: Captured) -> None:
    assert main(["bench", f"--against={commit}"]) == 2
    assert capsys.readouterr().err == f"ltr bench: --against={commit}: no such commit in {clone}\n"


def test_without_a_clone_it_is_one_line(clone: Path, capsys: Captured) -> None:
    (clone / ".git").rename(clone / "git")
    assert main(["bench", "--against=HEAD"]) == 2
    said = f"ltr bench: --against=HEAD: needs git and a clone of ltr; {clone} is none\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("stderr", "said"), [("Building\nerror: no lane\n", "error: no lane"), ("", "no C\\+\\+ compiler")]
)
def test_kernels_that_cannot_be_built_are_one_line(
    clone: Path, stderr: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess([], 0, "", stderr)
    monkeypatch.setattr(source_tree, "run_python", lambda *_, **__: done)
    with pytest.raises(LtrError, match=f"^a tree: its kernels cannot be built: {said}$"):
        source_tree.build_kernels(SourceTree("a tree", clone, clone))


def test_the_words_of_both_trees_are_the_same(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def fake(commit: str, words: list[str], repeats: int, on_status: Callable[[str], None]) -> dict[str, Any]:
        row = Row(0.5, "dense", 2.0, 1.0, 2.0, 1.5, 2.5)._asdict()
        return {"machine": {"words": words}, "against": commit, "turns": repeats, "rows": [row]}

    monkeypatch.setattr(against, "against", fake)
    assert main(["bench", "--against=HEAD", "--densities=0.5", "--json", "model=conv2", "seed=1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == ["network", "setting", "machine", "against", "turns", "rows"]
    assert (said["network"], said["setting"]) == ("Conv-2 on MNIST", "batch 60, adam")
    assert said["machine"]["words"] == [
        *("--densities=0.5", "--seconds=2.0", "model=conv2", "seed=1", "dataset=mnist")
    ]
    assert main(["bench", "--against=HEAD", "experiment=cifar10_conv2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["network"] == "Conv-2 on CIFAR-10"
    assert said["machine"]["words"][2:] == ["experiment=cifar10_conv2", "dataset=cifar10"]
    assert main(["bench", "--against=HEAD", "dataset=cifar10", "model=conv2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["machine"]["words"][2:] == ["dataset=cifar10", "model=conv2"]
    assert main(["bench", "--against=HEAD"]) == 0
    assert capsys.readouterr().out.splitlines()[-3].split() == [
        *("50", "%", "dense", "2.00", "1.00", "2.00", "1.50", "2.50")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("commit", ["HEAD", "8d457bc"])
def test_a_commit_is_built_and_measured(commit: str, capsys: Captured) -> None:
    root = Path(source_tree.__file__).parents[2]
    if subprocess.run(["git", "-C", str(root), "cat-file", "-e", f"{commit}^{{commit}}"]).returncode:
        pytest.skip(f"no clone with {commit}")
    words = ["--repeats=1", "--seconds=0.02", "--densities=0.1", "dataset=digits", "model.width=0.1"]
    assert main(["bench", f"--against={commit}", "--json", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["program"] for row in said["rows"]] == ["dense", "packed"]
    assert all(row["here"] > 0 and row["there"] > 0 for row in said["rows"])
