"""Search for lottery tickets in neural networks, with a statistical test of every claim."""

from ltr.version import __version__

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than a process to handle its signals
if TYPE_CHECKING:
    from ltr.api.compare import compare
    from ltr.api.loaded import LoadedRun, Ticket, load
    from ltr.api.run import plan, run
    from ltr.errors import ConfigError, DataNotFoundError, LtrError
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
    "ConfigError": "ltr.errors",
    "DataNotFoundError": "ltr.errors",
    "LoadedRun": "ltr.api.loaded",
    "LtrError": "ltr.errors",
    "Plan": "ltr.experiment.plan",
    "Ticket": "ltr.api.loaded",
    "compare": "ltr.api.compare",
    "load": "ltr.api.loaded",
    "plan": "ltr.api.run",
    "run": "ltr.api.run",
}


def __getattr__(name: str) -> object:
    """Return a public name; its module is imported on first use, so `ltr --help` does not load pandas."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
