"""Packages installed into a folder of their own, which joins the path of Python for a while."""

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltr import plugins
from ltr.arms.registry import MASKS
from ltr.data.registry import DATASETS
from ltr.models.registry import NETWORKS
from ltr.pruning.registry import CRITERIA


def install(package: Path, site: Path) -> None:
    """Install a package with pip, without its dependencies and without a network."""
    words = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", *words, "--target", str(site), str(package)]
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def joined(*sites: Path) -> Iterator[None]:
    """Python finds what is installed in these folders, and ltr its plug-ins."""
    modules = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for site in sites:
            patch.syspath_prepend(str(site))
        for registry in (CRITERIA, DATASETS, MASKS, NETWORKS):
            patch.setattr(registry, "_entries", dict(registry._entries))
        patch.setattr(plugins, "_installed", None)
        yield
    for name in set(sys.modules) - modules:
        if any((site / name.partition(".")[0]).exists() for site in sites):
            del sys.modules[name]
    importlib.invalidate_caches()
