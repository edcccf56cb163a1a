"""Where ltr keeps what it can make again."""

import os
from pathlib import Path


def folder() -> Path:
    """The folder of everything of the kind."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ltr"


def compiled() -> Path:
    """The folder of compiled programs."""
    return Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or folder() / "jax")


def break_even_file() -> Path:
    """The file of what was measured of sparse layers (see `ltr.engine.measurements`)."""
    return folder() / "break_even.json"
