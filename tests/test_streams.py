"""Standard streams that are closed, full, left by their reader, or of few characters: results are kept."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ltr.store.catalog import all_runs

MAIN = "import sys; from ltr.cli import main; sys.exit(main())"
HELP = "--help"
TRAIN = "run steps=20 eval_every=10 rounds=0 replicates=1 arms=[ticket] sparse=never"
FULL = "ltr: standard output: cannot be written (No space left on device)\n"

needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


def shell(line: str, root: Path, main: str = MAIN, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a line for Bash, in which $ltr is the command."""
    (root / "main.py").write_text(main)
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("$ltr", f'"{sys.executable}" -P "{root}/main.py"')],
        check=False,
        capture_output=True,
        cwd=root,
        env=os.environ | environment,
    )
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def assert_trained(root: Path) -> None:
    (run,) = all_runs(root / "outputs")
    assert run.status == "finished"
    assert (run.folder / "results.parquet").exists()


@needs_full_device
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (f"$ltr {HELP} >/dev/full", 1, FULL),
        (f"$ltr {HELP} >/dev/full 2>&1", 1, ""),
        (f"$ltr {HELP} 2>/dev/full | tail -1", 0, ""),
        ("$ltr rum 2>/dev/full", 2, ""),
        (f"$ltr {HELP} >&-", 0, ""),
        (f"$ltr {HELP} <&- >&- 2>&-", 0, ""),
        ("$ltr rum 2>&-", 2, ""),
        (f"$ltr {HELP} | true", 0, ""),
        (f"$ltr {HELP} | head -1", 0, ""),
        ("$ltr rum 2>&1 | true", 2, ""),
    ],
)
def test_a_stream_that_takes_nothing_costs_at_most_one_line(
    line: str, code: int, said: str, tmp_path: Path
) -> None:
    ended, _, errors = shell(line, tmp_path)
    assert (ended, errors) == (code, said)


@needs_full_device
@pytest.mark.slow
def test_a_run_keeps_its_results_without_streams(tmp_path: Path) -> None:
    assert shell(f"$ltr {TRAIN} >/dev/full 2>/dev/full", tmp_path) == (1, "", "")
    assert_trained(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("streams", "code"),
    [("2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 1), ("2>&1 | true", 0), ("| head -1", 0)],
)
def test_a_run_keeps_its_results_with_any_streams(streams: str, code: int, tmp_path: Path) -> None:
    ended, _, errors = shell(f"$ltr {TRAIN} {streams}", tmp_path)
    assert ended == code
    assert errors.count("ltr: standard output: cannot be written") == code
    assert_trained(tmp_path)


def test_what_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    main = textwrap.dedent(
        """
        import sys
        from ltr.cli import streams
        streams.secure()
        for stream in (sys.stdout, sys.stderr):
            print("\\u00b1 \\u2265 \\udcff", file=stream)
        """
    )
    shown = "\\xb1 \\u2265 \\udcff\n"
    assert shell("$ltr", tmp_path, main, PYTHONIOENCODING="ascii") == (0, shown, shown)


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    main = textwrap.dedent(
        """
        from ltr.cli import streams
        streams.secure()
        with open("number", "w") as file:
            print(file.fileno(), file=file)
        """
    )
    assert shell("$ltr <&- >&- 2>&-", tmp_path, main) == (0, "", "")
    assert int((tmp_path / "number").read_text()) > 2


def test_a_pipe_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    main = textwrap.dedent(
        """
        import os
        from ltr.cli import streams
        os.set_blocking(1, False)
        streams.secure()
        print("0" * 500_000)
        """
    )
    assert shell("$ltr | (sleep 0.2; wc -c)", tmp_path, main)[:2] == (0, "500001\n")


def test_a_handler_of_signals_may_print_while_the_program_prints(tmp_path: Path) -> None:
    main = textwrap.dedent(
        """
        import os, signal, sys
        from ltr.cli import streams
        streams.secure()
        write = streams.Stream.write
        def interrupted(self, content):
            streams.Stream.write = write
            os.kill(os.getpid(), signal.SIGTERM)
            return write(self, content)
        streams.Stream.write = interrupted
        signal.signal(signal.SIGTERM, lambda *_: print("stopping", file=sys.stderr, flush=True))
        print("working", file=sys.stderr, flush=True)
        """
    )
    assert shell("$ltr", tmp_path, main) == (0, "", "stopping\nworking\n")
