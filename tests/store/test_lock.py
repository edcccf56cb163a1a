"""One process writes a folder; without locks of the file system, another kind of lock does."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.errors import ConfigError, LtrError
from ltr.store.lock import FILES, is_locked, locked


@pytest.fixture(params=["flock", "soft"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of lock that the environment asks for."""
    monkeypatch.setenv("LTR_LOCK", request.param)
    return request.param


def test_one_process_holds_the_lock(kind: str, tmp_path: Path) -> None:
    with locked(tmp_path):
        assert is_locked(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [FILES[kind]]
        with pytest.raises(LtrError, match="is being written by another process"), locked(tmp_path):
            pass
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        pass


def test_a_killed_process_is_not_taken_for_one_that_writes(kind: str, tmp_path: Path) -> None:
    imports = "from pathlib import Path; from ltr.store.lock import locked"
    hold = f"{imports}\nwith locked(Path({str(tmp_path)!r})):"
    with subprocess.Popen(
        [sys.executable, "-c", f"{hold} print(); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        assert is_locked(tmp_path)
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    (tmp_path / FILES["soft"]).unlink(missing_ok=True)  # as the message says
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_called_that(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ConfigError) as caught, locked(tmp_path):
        pass
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}: its file system has no locks (flock); set LTR_LOCK=soft in ")
    assert "\n" not in said
    assert not is_locked(tmp_path)
    monkeypatch.setenv("LTR_LOCK", "soft")
    with locked(tmp_path):
        assert is_locked(tmp_path)


def test_another_kind_of_lock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTR_LOCK", "hard")
    with pytest.raises(ConfigError, match=r"^LTR_LOCK=hard: must be one of flock, soft$"), locked(tmp_path):
        pass
