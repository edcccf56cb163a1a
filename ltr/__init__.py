"""Search for lottery tickets in neural networks, with a statistical test of every claim."""

import importlib
from typing import TYPE_CHECKING, Any

from ltr.errors import ConfigError, DataNotFoundError, LtrError
from ltr.version import __version__

if TYPE_CHECKING:
    from ltr.api.compare import compare
    from ltr.api.loaded import LoadedRun, Ticket, load
    from ltr.api.run import plan, run
    from ltr.experiment.plan import Plan

__all__ = [
    "ConfigError",
    "DataNotFoundError",
    "LoadedRun",
    "LtrError",
    "Plan",
    "Ticket",
    "__version__",
    "compare",
    "load",
    "plan",
    "run",
]

_MODULES = {
    "LoadedRun": "ltr.api.loaded",
    "Plan": "ltr.experiment.plan",
    "Ticket": "ltr.api.loaded",
    "compare": "ltr.api.compare",
    "load": "ltr.api.loaded",
    "plan": "ltr.api.run",
    "run": "ltr.api.run",
}


def __getattr__(name: str) -> Any:
    """Return a public name; its module is imported on first use, so `ltr --help` does not load pandas."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
