"""Signals at any moment of a command line: their exit code, no traceback, and nothing half done."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.cli import main
from ltr.interrupts import SIGNALS

RUN = ["run", "steps=20", "eval_every=10", "rounds=0", "replicates=1", "sparse=never"]

INTERRUPTED = """
import os, sys

class Interruption:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            try:
                os.kill(os.getpid(), {number})
            except BaseException:
                pass

sys.meta_path.insert(0, Interruption())
from ltr.cli import main
sys.exit(main())
"""
"""A command line that gets a signal where it imports a module, in a block that lets no exception pass."""

IMPORTED = """
import sys
from ltr.cli import dispatch
from ltr.experiment import runner
print(*(name for name, module in sys.modules.items() if getattr(module, "__file__", None)))
"""
"""Names the files that a run imports before it begins, in order."""

WRITING = """
import os, sys
from pathlib import Path
from ltr import interrupts
from ltr.core import atomic

interrupts.end_by_signals()
with atomic.replacing(Path({file!r})) as stream:
    stream.write(b"half")
    stream.flush()
    {interrupt}
print("goes on")
"""


def python(code: str, *words: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], check=False, capture_output=True, text=True, cwd=root
    )


def assert_ends(module: str, number: signal.Signals, root: Path) -> None:
    """The process ends with the exit code of the signal, silently, and leaves nothing behind."""
    ended = python(INTERRUPTED.format(module=module, number=int(number)), *RUN, root=root)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", "")
    assert [*root.iterdir()] == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_comes_before_the_words_are_read_ends_the_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    assert_ends("argparse", number, tmp_path)


@pytest.mark.parametrize("module", ["ltr.commands.completion", "hydra", "numpy", "jax"])
def test_a_signal_that_comes_while_a_module_is_imported_ends_the_process(module: str, tmp_path: Path) -> None:
    assert_ends(module, signal.SIGINT, tmp_path)


@pytest.mark.slow
def test_no_import_swallows_a_signal(tmp_path: Path) -> None:
    modules = python(IMPORTED, root=tmp_path).stdout.split()
    for module in modules[modules.index("ltr.cli.dispatch") :: 80]:
        assert_ends(module, signal.SIGINT, tmp_path)


@pytest.mark.parametrize(
    "interrupt",
    [
        "os.kill(os.getpid(), {number})",
        "try: os.kill(os.getpid(), {number})\n    except BaseException: pass",
    ],
    ids=["passed on", "swallowed"],
)
@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_half_written_is_removed_or_finished_first(
    number: signal.Signals, interrupt: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    code = WRITING.format(file=str(file), interrupt=interrupt.format(number=int(number)))
    ended = python(code, root=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", "")
    content = "half" if "except" in interrupt else "before"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": content}


def test_a_program_that_calls_ltr_keeps_its_own_handlers() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    assert main(["completion", "words", "--", "run", "rou"]) == 0
    assert [signal.getsignal(number) for number in SIGNALS] == before
