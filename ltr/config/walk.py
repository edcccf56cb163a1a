"""The knobs of a configuration by dotted name, each with its value and its annotated type."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_type_hints

from ltr.config.schema import NameIn, OptionsOf, to_dict
from ltr.registry import Registry

M = TypeVar("M")


def by_name(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every knob below a config dataclass, those of every arm and the given options among them.

    Yields its dotted name, its value as plain data, and its annotated type, for `marker`.
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
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def marker(hint: Any, kind: type[M]) -> M | None:
    """Return what marks an annotated type in that way (see `ltr.config.schema`); None if nothing does."""
    return next((extra for extra in get_args(hint) if isinstance(extra, kind)), None)


def is_marked(hint: Any, kind: type) -> bool:
    """Return whether an annotated type is marked in that way."""
    return marker(hint, kind) is not None


@functools.cache
def registry_of(hint: Any) -> Registry[Any] | None:
    """Return the registry that a knob takes names from, one or a list of them; None if it takes none."""
    named = marker(hint, NameIn)
    for inner in get_args(next(iter(get_args(hint)), None)):
        named = named or marker(inner, NameIn)
    return named.registry if named else None
