"""Source trees of ltr to measure: this one, and a copy of another commit, with their kernels built."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr import interrupts
from ltr.errors import ConfigError, LtrError

KERNELS = "ltr/kernels/*.so"


class SourceTree(NamedTuple):
    """Source tree of ltr.

    Attributes:
        name: its name in messages.
        root: folder that holds the package.
        caches: temporary folder of its caches, so that trees do not share break-even densities.
    """

    name: str
    root: Path
    caches: Path


@contextlib.contextmanager
def this_and(commit: str) -> Iterator[tuple[SourceTree, SourceTree]]:
    """Give this source tree and one of a commit; nothing of the latter is left behind.

    Raises:
        ConfigError: this is no clone, or it has no such commit.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or not shutil.which("git"):
        raise ConfigError(f"--against={commit}: needs git and a clone of ltr; {root} is none")
    name = _git(root, "rev-parse", "--verify", "--short", "--end-of-options", f"{commit}^{{commit}}")
    if name is None:
        raise ConfigError(f"--against={commit}: no such commit in {root}")
    with interrupts.undone(), tempfile.TemporaryDirectory(prefix="ltr-") as folder:
        copy, archive = Path(folder, "tree"), Path(folder, "tree.zip")
        if _git(root, "archive", "--format=zip", f"--output={archive}", name) is None:
            raise LtrError(f"--against={commit}: git cannot copy the commit to {folder}")
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(copy)
        caches = [Path(folder, "caches", which) for which in ("this", "other")]
        yield SourceTree("this tree", root, caches[0]), SourceTree(name, copy, caches[1])


def build_kernels(tree: SourceTree) -> None:
    """Build the kernels of a tree into it, by its own build hook, if they are older than their sources.

    Raises:
        LtrError: they cannot be built.
    """
    with interrupts.undone(), tempfile.TemporaryDirectory(prefix="ltr-") as wheels:
        command = ["-m", "hatchling", "build", "--target=wheel", f"--directory={wheels}"]
        built = run_python(command, cwd=tree.root)
    if built.returncode or not any(tree.root.glob(KERNELS)):
        lines = built.stderr.strip().splitlines() or ["no C++ compiler"]
        raise LtrError(f"{tree.name}: its kernels cannot be built: {lines[-1]}")


def run_python(
    arguments: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run this interpreter, without the current folder among its packages, and return what it printed."""
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)


def _git(root: Path, *arguments: str) -> str | None:
    """Return the output of a command of git, without the last newline; None if it fails."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    return None if done.returncode else done.stdout.strip()
