"""Registries: the names that a knob accepts, and suggestions for those that it does not."""

from ltr.registry.entry import Entry, Registry, UnknownNameError, load

__all__ = ["Entry", "Registry", "UnknownNameError", "load"]
