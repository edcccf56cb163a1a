"""`ltr`: words to commands, errors to exit codes; nothing heavy until it is needed."""

import importlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from ltr import __version__
from ltr.cli import main
from ltr.commands import NAMES
from ltr.errors import ConfigError, DataNotFoundError, LtrError, StoppedError
from tests.marks import slow

Captured = pytest.CaptureFixture[str]
SLOW = {"jax", "jaxtyping", "numpy", "pandas", "scipy", "matplotlib", "tensorflow_datasets"}
"""Packages that no answer to wrong words needs."""

SLOWER = SLOW | {"hydra", "omegaconf"}
"""Packages that are not needed to list knobs, to complete a word, or to answer a wrong name."""

HEAVY = SLOWER | {"pydantic", "yaml", "rich"}
"""Packages that help on commands does not need."""

LTR = [sys.executable, "-c", "import sys; from ltr.cli import main; sys.exit(main())"]


def ltr(*words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    return subprocess.run([*LTR, *words], check=False, capture_output=True, text=True)


def said_by(words: list[str], capsys: Captured) -> str:
    """What is printed by words that end the program, as --help does."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_names_every_command_and_an_example(capsys: Captured) -> None:
    said = said_by(["--help"], capsys)
    for name in NAMES:
        assert f"\n    {name}" in said
    assert "example:\n  ltr run " in said


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_and_an_example(name: str, capsys: Captured) -> None:
    said = said_by([name, "--help"], capsys)
    assert said.startswith(f"usage: ltr {name} ")
    assert f"  ltr {name}" in said.split("xample", 1)[1]
    assert [line for line in said.splitlines() if len(line) > 80] == []


def test_the_version(capsys: Captured) -> None:
    assert said_by(["--version"], capsys) == f"ltr {__version__}\n"


def test_no_words_are_answered_with_help(capsys: Captured) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == said_by(["--help"], capsys)


def test_help_is_a_word_too(capsys: Captured) -> None:
    assert said_by(["help"], capsys) == said_by(["--help"], capsys)
    assert said_by(["help", "ls"], capsys) == said_by(["ls", "--help"], capsys)


@pytest.mark.parametrize(
    ("all_words", "unwanted"),
    [
        (([], ["--help"], ["ls", "--help"], ["rum"], ["show", "nothing"]), HEAVY),
        (
            (
                ["run", "--help"],
                ["completion", "words", "--", "run", "model."],
                ["completion", "words", "--", "run", "rou"],
                ["run", "prune_rat=0.2"],
                ["run", "zzzzzz=5"],
                ["run", "rounds", "5"],
                ["run", "--rounds", "5"],
            ),
            SLOWER,
        ),
        (
            (
                ["run", "prune_rate=0.1,0.2"],
                ["run", "seed=-1", "rounds=${seed}"],
                ["plan", "pruning.densities=[0.5]"],
                ["run", "model=vgg16"],
                ["run", "model.options.blocks=2"],
                ["run", "dataset.validation=2000"],
                ["run", "arms=[ticket,rigl]", "rewind_step=1400"],
                ["run", "replicates=auto", "arms=[ticket]"],
                ["run", "dataset=custom", "dataset.path=/nowhere/x.npz"],
                ["run", "ticket=nothing"],
            ),
            SLOW,
        ),
        slow(
            (
                ["run", "prune_rate=2"],
                ["run", "arms=[ticket,one_shoot]"],
                ["run", "model.name=lenet"],
                ["run", "model=resnet20", "model.dropout=0.5", "dataset=cifar10"],
                ["run", "model=wide_resnet", "dataset=cifar10", "model.options.blocks=0"],
                ["run", "optimizer.options.b1=1"],
                ["run", "optimizer.name=adan"],
                ["run", "optimizer.schedule=cos"],
                ["run", "pruning.criterion=magnitud"],
                ["run", "dataset.name=foo"],
                ["run", "dataset.augmentation=flip"],
                ["run", "arm.snip.mask=foo"],
                ["run", "arm.rigl.pruned=frozen"],
                ["run", "rewind.name=weight"],
                ["run", "rewind=continued", "rewind_step=5"],
                ["run", "batch_size=5000"],
                ["run", "rewind_step=1500"],
                ["run", "tracker=tensorbord"],
                ["run", "replicates=auto", "claims.decide=[weight]"],
                ["run", "dataset.path=x.npz"],
                ["run", "ticket=last", "output_root=nowhere"],
            ),
            SLOW,
        ),
    ],
)
def test_help_and_refusals_load_nothing_heavy(all_words: tuple[list[str], ...], unwanted: set[str]) -> None:
    code = f"""
import sys
from ltr.cli import main
for words in {all_words}:
    try:
        assert main(words) in ((0,) if words[:1] == ["completion"] else (2, 3))
    except SystemExit:
        pass
print(sorted({unwanted} & set(sys.modules)), file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rum"], "ltr: rum: unknown command; did you mean run?"),
        (["--rounds", "5"], "ltr: --rounds: unknown option; a command comes first, as in ltr run rounds=5"),
        (["seed=1"], "ltr: seed=1: not a command; type ltr run seed=1"),
        (["ls", "--output-root", "nowhere"], "argument --output-root: nowhere: no such folder"),
        (["ls", "--sideways"], "unrecognized arguments: --sideways"),
        (["ls", "seed=1"], "unrecognized arguments: seed=1"),
        (["show"], "the following arguments are required: RUN"),
        (["run", "-m", "--cfg", "job"], "argument --cfg: not allowed with argument -m/--multirun"),
    ],
)
def test_wrong_words_are_exit_code_2(words: list[str], said: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LtrError("broken"), 1),
        (ConfigError("broken"), 2),
        (DataNotFoundError("broken"), 3),
        (StoppedError(2, "broken"), 130),
        (StoppedError(15, "broken"), 143),
        (OSError("broken"), 1),
        (MemoryError("broken"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line_and_its_exit_code(
    error: Exception, code: int, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("ltr.commands.ls"), "execute", failing(error))
    assert main(["ls"]) == code
    said = "not enough memory (broken)" if isinstance(error, MemoryError) else "broken"
    assert capsys.readouterr() == ("", f"ltr ls: {said}\n")


def test_an_unexpected_error_has_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("ltr.commands.ls"), "execute", failing(ValueError("broken")))
    with pytest.raises(ValueError, match="broken"):
        main(["ls"])


def test_an_interruption_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(importlib.import_module("ltr.commands.ls"), "execute", failing(KeyboardInterrupt()))
    assert main(["ls"]) == 130
    assert capsys.readouterr().err == ""


def failing(error: BaseException) -> Callable[[object], int]:
    def execute(_: object) -> int:
        raise error

    return execute


@pytest.mark.usefixtures("compile_once", "rough_times")
def test_options_may_stand_between_knobs(capsys: Captured) -> None:
    assert main(["plan", "rounds=1", "--json", "replicates=1", "sparse=never"]) == 0
    assert '"trainings": 5,' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "prune_rate=1"], 2, "ltr run: prune_rate=1: must be a number > 0 and < 1"),
        (["plan", "model=lenet"], 2, "ltr plan: model=lenet: unknown choice; did you mean lenet_300_100?"),
        (["show", "nothing"], 2, "ltr show: nothing: no such run; there is no folder outputs"),
        (["run", "--rounds", "5"], 2, "ltr run: --rounds: not an option; type rounds=5"),
    ],
)
def test_a_process_fails_with_one_line(
    words: list[str], code: int, said: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = subprocess.run(
        [*LTR, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("empty"),
    )
    assert (found.returncode, found.stdout, found.stderr) == (code, "", f"{said}\n")
