"""What is known of the machine and of the source."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.core import machine
from ltr.version import __version__

commit = machine.commit.__wrapped__


def test_the_commit_of_a_clone_says_whether_it_was_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@t"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    (tmp_path / "ltr" / "core").mkdir(parents=True)
    source = tmp_path / "ltr" / "core" / "machine.py"
    source.write_text("one")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    monkeypatch.setattr(machine, "__file__", str(source))
    assert commit() == git("rev-parse", "HEAD")
    source.write_text("another")
    assert commit() == git("rev-parse", "HEAD") + "-dirty"


def test_what_is_no_clone_has_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "ltr" / "core" / "machine.py"))
    assert commit() == __version__


def test_a_clone_without_git_has_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("git")

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "ltr" / "core" / "machine.py"))
    assert commit() == __version__, "not a repository that git knows"
    monkeypatch.setattr(subprocess, "run", absent)
    assert commit() == __version__


def test_a_folder_of_the_name_of_a_package_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_up_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "made_up_package"))
    facts = machine.machine()
    assert facts["numpy"] == np.__version__
    assert facts["made_up_package"] is None


class TestMemory:
    """Files of a machine of 8 GiB below a folder of its own."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        self.write(tmp_path, "proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\n")
        return tmp_path

    def write(self, root: Path, name: str, text: str) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    def test_of_the_machine(self, root: Path) -> None:
        assert machine.memory(root) == 8 * 2**30

    def test_unknown_without_files(self, tmp_path: Path) -> None:
        assert machine.memory(tmp_path) is None

    def test_the_limit_of_a_cgroup_and_of_those_around_it(self, root: Path) -> None:
        self.write(root, "proc/self/cgroup", "0::/user/session\n")
        self.write(root, "sys/fs/cgroup/user/session/memory.max", "max\n")
        assert machine.memory(root) == 8 * 2**30
        self.write(root, "sys/fs/cgroup/user/memory.max", f"{2**30}\n")
        assert machine.memory(root) == 2**30
        self.write(root, "sys/fs/cgroup/memory.max", f"{2**29}\n")
        assert machine.memory(root) == 2**29

    def test_the_limit_of_a_cgroup_of_version_1(self, root: Path) -> None:
        self.write(root, "proc/self/cgroup", "3:cpu,cpuacct:/job\n2:memory:/job\n")
        self.write(root, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", f"{2**28}\n")
        self.write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        assert machine.memory(root) == 2**28
