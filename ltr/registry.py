"""Registries: the names that a knob takes, and what is known of each before its code is imported."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Generic, TypeVar

from ltr.errors import ConfigError
from ltr.suggestions import nearest


def load(reference: str) -> Any:
    """Return the object that "module:object" names; imports its module."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A choice that a knob names. Its traits are the fields of a subclass.

    Attributes:
        name: value of the knob.
        doc: one line that says what it is or does.
        code: "module:object", imported when it is used; empty if there is nothing to import.
        paper: publication that proposes it; empty if there is none.
        options: dataclass of the options that it alone takes; None if it takes none.
        distribution: name and version of the installed package that adds it; empty for ltr's own.
    """

    name: str
    doc: str
    code: str = ""
    paper: str = ""
    options: type[Any] | None = None
    distribution: str = ""

    def load(self) -> Any:
        """Return the object that `code` names; imports its module."""
        return load(self.code)

    def call(self, *arguments: Any, options: Mapping[str, Any]) -> Any:
        """Call its code, with its options as the last argument where it has a schema of them."""
        own = () if self.options is None else (self.options(**options),)
        return self.load()(*arguments, *own)

    @property
    def traits(self) -> dict[str, Any]:
        """The fields that a subclass adds and that are beyond their defaults, by name."""
        common = {field.name for field in fields(Entry)}
        return {
            field.name: value
            for field in fields(self)
            if field.name not in common
            and (value := getattr(self, field.name)) != field.default
            and (value or field.default_factory is MISSING)
        }

    def __str__(self) -> str:
        """Its line of documentation, and the publication where the line does not name it."""
        return self.doc if not self.paper or self.paper in self.doc else f"{self.doc[:-1]} ({self.paper})."


E = TypeVar("E", bound=Entry)


class UnknownNameError(ConfigError, KeyError):
    """A knob names an entry that its registry does not have."""

    __str__ = ConfigError.__str__


class Registry(Mapping[str, E], Generic[E]):
    """The entries that a knob may name, by name, in the order in which they were added.

    A name that is not there raises `UnknownNameError`, which names the knob and suggests the nearest.

    Args:
        knob: dotted name of the knob, as in `model.name`; `arm.NAME.mask` for a knob of every arm.
        noun: what an entry is, in messages.
        entries: those to begin with.
    """

    def __init__(self, knob: str, noun: str, entries: Iterable[E] = ()) -> None:
        self.knob, self.noun = knob, noun
        self._entries: dict[str, E] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: E) -> None:
        """Add an entry; ConfigError if there is one of its name."""
        if (other := self._entries.get(entry.name)) is not None:
            raise ConfigError(
                f"{self.knob}={entry.name}: {entry.distribution or 'ltr'} adds this {self.noun}, "
                f"which {other.distribution or 'ltr'} has already"
            )
        self._entries[entry.name] = entry

    def unknown(self, name: str, knob: str | None = None) -> str:
        """Say that the name is unknown, and which is nearest; `knob`: that of one arm."""
        return f"{knob or self.knob}={name}: unknown {self.noun}; {nearest(name, self)}"

    def __getitem__(self, name: str) -> E:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.unknown(name)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
