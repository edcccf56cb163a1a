"""Iteration over the knobs of a configuration, and their markers."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args, get_type_hints

from ltr.config.schema import NameIn, OptionsOf, to_dict
from ltr.registry import Registry

M = TypeVar("M")


def by_name(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every knob below a config dataclass, including those of every arm and the given options.

    Yields:
        The dotted name, the value as plain data, and the annotated type, for `marker`.
    """
    for field, hint in hints(node.__class__).items():
        value, name = getattr(node, field), prefix + field
        if is_group(hint):
            yield from by_name(value, f"{name}.")
        elif name == "arm":
            for arm, definition in value.items():
                yield from by_name(definition, f"{name}.{arm}.")
        elif marker(hint, OptionsOf):
            yield from ((f"{name}.{option}", to_dict(chosen), hint) for option, chosen in value.items())
        else:
            yield name, to_dict(value), hint


def naming(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Registry[Any]]]:
    """Yield every knob below a config dataclass that names registry entries, those of every arm included.

    Yields:
        The dotted name, the value (a name or a tuple of names), and the registry.
    """
    for field, registry in _naming_fields(node.__class__):
        value, name = getattr(node, field), prefix + field
        if registry is not None:
            yield name, value, registry
        elif name == "arm":
            for arm, definition in value.items():
                yield from naming(definition, f"{name}.{arm}.")
        else:
            yield from naming(value, f"{name}.")


@functools.cache
def _naming_fields(node_class: Any) -> list[tuple[str, Registry[Any] | None]]:
    """Return the fields that name registry entries, each with the registry, and those with knobs below."""
    registries = {field: registry_of(hint) for field, hint in hints(node_class).items()}
    return [
        (field, registry)
        for field, registry in registries.items()
        if registry is not None or field == "arm" or is_group(hints(node_class)[field])
    ]


@functools.cache
def hints(node_class: Any) -> Mapping[str, Any]:
    """Return the annotated types of a dataclass, by field."""
    return get_type_hints(node_class, include_extras=True)


@functools.cache
def is_group(hint: Any) -> bool:
    """Return whether an annotated type is a dataclass of knobs."""
    return dataclasses.is_dataclass(hint)


@functools.cache
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
