"""Errors of the machine: which they are, and what is said of them."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.errors import ConfigError, DataNotFoundError, LtrError
from ltr.faults import as_system_error, exit_code, is_known, message, unwritable

FULL = OSError(errno.ENOSPC, "No space left on device", "results.parquet")
FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (18, 18))
from ltr.cli import main
sys.exit(main())
"""
RUN = ("run", "steps=20", "eval_every=10", "rounds=0", "replicates=1", "arms=[ticket]", "sparse=never")
TENSORSTORE = (
    "OUT_OF_RANGE: Error writing \"a/0\": Failed to write 9 bytes: File too large [os_error_code='27']"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LtrError("rounds=1: too few"), "rounds=1: too few"),
        (FULL, "results.parquet: No space left on device"),
        (OSError("the disk\nis gone"), "the disk is gone"),
        (MemoryError(), "not enough memory"),
        (
            ImportError("libx.so: failed to map segment\nmore"),
            "not enough memory (libx.so: failed to map segment)",
        ),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
            "not enough memory (RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.)",
        ),
    ],
    ids=str,
)
def test_a_known_error_is_one_line(error: Exception, said: str) -> None:
    assert is_known(error)
    assert message(error) == said


def test_an_unknown_error_is_said_with_its_kind() -> None:
    error = ValueError("not\na number")
    assert not is_known(error)
    assert message(error) == "ValueError: not a number"


@pytest.mark.parametrize(("error", "code"), [(DataNotFoundError(""), 3), (FULL, 1), (ValueError(), 1)])
def test_errors_have_exit_codes(error: Exception, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (FULL, errno.ENOSPC),
        (ValueError(TENSORSTORE), errno.EFBIG),
        (RuntimeError("write() failed: No space left on device; writing a"), errno.ENOSPC),
    ],
)
def test_a_library_reports_an_error_of_the_system(error: Exception, number: int) -> None:
    found = as_system_error(error, Path("round_00"))
    assert found is not None
    assert (found.errno, found.filename) == (number, "round_00")


def test_a_library_reports_another_error() -> None:
    assert as_system_error(ValueError("wrong shape"), Path("round_00")) is None


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EACCES, ConfigError), (errno.EROFS, ConfigError), (errno.ENOSPC, LtrError)]
)
def test_a_full_disk_is_no_wrong_knob(number: int, kind: type[LtrError]) -> None:
    error = unwritable("output_root=runs", OSError(number, "the reason"))
    assert type(error) is kind
    assert str(error) == "output_root=runs: cannot be written (the reason)"


def test_few_open_files_are_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FEW_FILES, *RUN], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    said = ended.stderr.splitlines()
    (line,) = [line for line in said if not line.startswith(("preparing ", "run "))]
    assert line.startswith("ltr run: ")
    assert line.endswith(": Too many open files")
    assert (ended.returncode, ended.stdout) == (1, "")
