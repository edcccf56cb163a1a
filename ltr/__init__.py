"""Finds lottery tickets in neural networks, and says how sure it is of them."""

from typing import TYPE_CHECKING, Any

from ltr.version import __version__

if TYPE_CHECKING:
    from ltr.loaded import load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`load`, imported when it is asked for: `ltr --help` should not wait for pandas."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ltr.loaded import load

    return load
