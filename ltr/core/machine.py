"""Facts about the machine: processor, devices and installed packages."""

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import jax

from ltr import kernels
from ltr.version import __version__

PACKAGES = ("jax", "jaxlib", "numpy", "torch")
"""Packages whose versions matter for training speed."""


def machine() -> dict[str, str | int | None]:
    """Return the facts that decide training speed, as plain data; None for a missing package."""
    return {
        "processor": processor(),
        "cores": len(cores()),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "sparse_kernels": kernels.instruction_set(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def cores() -> list[int]:
    """Return the numbers of the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def processor() -> str:
    """Return the processor's model name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


@functools.cache
def commit() -> str:
    """Return the git commit of ltr's source, with `-dirty` if edited; ltr's version outside a clone."""
    source = Path(__file__).parents[2]
    if not (source / ".git").exists():
        return __version__
    describe = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        completed = subprocess.run(describe, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):  # git is missing, or refuses the clone's owner
        return __version__
    return completed.stdout.strip()


def memory(root: Path = Path("/")) -> int | None:
    """Return the bytes of memory that this process may use; None if they are unknown.

    That is the memory of the machine, or the limit of a cgroup of the process if that is lower.

    `root`: folder of the file system.
    """
    limits = [_of_machine(root), *_of_cgroups(root)]
    return min((limit for limit in limits if limit is not None), default=None)


def _of_machine(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return 1024 * int(line.split()[1])
    return None


def _of_cgroups(root: Path) -> list[int]:
    """Return the limits of the process's cgroups and of those that they are in, of version 1 and 2."""
    limits = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = top / path.lstrip("/")
        texts = [_text(folder / name) for folder in (own, *own.parents) if folder.is_relative_to(top)]
        limits += [int(text) for text in texts if text.strip().isdigit()]
    return limits


def _text(file: Path) -> str:
    """Return the content of a file; the empty string if it cannot be read."""
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""
