"""Paths of caches, whose files ltr makes again if they are missing."""

import os
from pathlib import Path


def folder() -> Path:
    """Return the folder of all caches of ltr."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ltr"


def data_of_buckets() -> Path:
    """Return the folder of prepared data that were fetched from buckets."""
    return folder() / "data"


def compiled() -> Path:
    """Return the folder of compiled programs."""
    return Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or folder() / "jax")


def break_even_file() -> Path:
    """Return the file of measured break-even densities (see `ltr.engine.measurements`)."""
    return folder() / "break_even.json"


def speeds_file() -> Path:
    """Return the file of measured speeds of networks (see `ltr.engine.speed`)."""
    return folder() / "speeds.json"


def conv_forms_file() -> Path:
    """Return the file of the measured forms of convolutions (see `ltr.engine.fastest_form`)."""
    return folder() / "conv_forms.json"


def dense_rounds() -> Path:
    """Return the folder of the names of runs whose dense networks others can take."""
    return folder() / "dense"
