"""The machine: its processor, its devices, and what is installed on it."""

import functools
import importlib.util
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import jax

from ltr import kernels
from ltr.version import __version__

PACKAGES = ("jax", "jaxlib", "numpy", "torch")


def machine() -> dict[str, str | int | None]:
    """What decides how fast it trains, as plain data; None for what is not there."""
    return {
        "processor": processor(),
        "cores": len(cores()),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "sparse_kernels": kernels.instruction_set(),
        "python": platform.python_version(),
        **{name: metadata.version(name) if importlib.util.find_spec(name) else None for name in PACKAGES},
    }


def cores() -> list[int]:
    """The processor cores that this process may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def processor() -> str:
    """Its model."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


@functools.cache
def commit() -> str:
    """The git commit of ltr's source, `-dirty` if it was edited since; its version where it is no clone."""
    source = Path(__file__).parents[1]
    if not (source / ".git").exists():
        return __version__
    describe = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(describe, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):  # no git, or it does not trust the clone
        return __version__
    return found.stdout.strip()
