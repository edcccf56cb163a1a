"""Iteration over the knobs of a configuration, and their markers."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_type_hints

from ltr.config.schema import NameIn, OptionsOf, to_dict
from ltr.registry import Registry

M = TypeVar("M")


def by_name(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every knob below a config dataclass, including those of every arm and the given options.

    Yields:
        The dotted name, the value as plain data, and the annotated type, for `marker`.
    """
    hints = _hints(node.__class__)
    for field in dataclasses.fields(node):
        value, name, hint = getattr(node, field.name), prefix + field.name, hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from by_name(value, f"{name}.")
        elif name == "arm":
            for arm, definition in value.items():
                yield from by_name(definition, f"{name}.{arm}.")
        elif marker(hint, OptionsOf):
            yield from ((f"{name}.{option}", to_dict(chosen), hint) for option, chosen in value.items())
        else:
            yield name, to_dict(value), hint


@functools.cache
def _hints(node_class: Any) -> dict[str, Any]:
    return get_type_hints(node_class, include_extras=True)


def marker(hint: Any, marker_class: type[M]) -> M | None:
    """Return the marker of this class on an annotated type (see `ltr.config.schema`); None without one."""
    return next((extra for extra in get_args(hint) if isinstance(extra, marker_class)), None)


def is_marked(hint: Any, marker_class: type) -> bool:
    """Return whether an annotated type has a marker of this class."""
    return marker(hint, marker_class) is not None


@functools.cache
def registry_of(hint: Any) -> Registry[Any] | None:
    """Return the registry of a knob that takes a name or a list of names; None for other knobs."""
    named = marker(hint, NameIn)
    for inner in get_args(next(iter(get_args(hint)), None)):
        named = named or marker(inner, NameIn)
    return named.registry if named else None
