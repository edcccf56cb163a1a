"""Registries: the names that a knob accepts, described without importing their code."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Generic, TypeVar

from ltr import plugins
from ltr.errors import ConfigError
from ltr.registry.suggestions import nearest


def load(reference: str) -> Any:
    """Import and return the object that "module:object" names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Named choice of a knob. A subclass adds traits as fields.

    Attributes:
        name: value of the knob.
        doc: description of one line.
        code: "module:object", imported on first use; empty if there is nothing to import.
        paper: publication that proposed it; empty if there is none.
        options: dataclass of the options specific to this entry; None if there are none.
        distribution: name and version of the plug-in package that adds it; empty for ltr's own entries.
    """

    name: str
    doc: str
    code: str = ""
    paper: str = ""
    options: type[Any] | None = None
    distribution: str = ""

    def load(self) -> Any:
        """Import and return the object that `code` names."""
        return load(self.code)

    def call(self, *arguments: Any, options: Mapping[str, Any]) -> Any:
        """Call the entry's code; an entry with options passes them as the last argument."""
        own = () if self.options is None else (self.options(**options),)
        return self.load()(*arguments, *own)

    @property
    def traits(self) -> dict[str, Any]:
        """Fields added by a subclass whose values differ from their defaults, by name."""
        common = {field.name for field in fields(Entry)}
        return {
            field.name: value
            for field in fields(self)
            if field.name not in common
            and (value := getattr(self, field.name)) != field.default
            and (value or field.default_factory is MISSING)
        }

    def __str__(self) -> str:
        """Return the description, followed by the publication unless the description names it."""
        return self.doc if not self.paper or self.paper in self.doc else f"{self.doc[:-1]} ({self.paper})."


E = TypeVar("E", bound=Entry)


class UnknownNameError(ConfigError, KeyError):
    """The value of a knob is not in its registry."""


class Registry(Mapping[str, E], Generic[E]):
    """Entries that a knob may name, by name, in the order of addition, with those of plug-ins.

    An unknown name raises `UnknownNameError`, which names the knob and suggests the nearest entry.

    Args:
        knob: dotted name of the knob, as in `model.name`; `arm.NAME.mask` for a knob of every arm.
        noun: word for an entry in messages, such as "network".
        entries: initial entries.
    """

    def __init__(self, knob: str, noun: str, entries: Iterable[E] = ()) -> None:
        self.knob, self.noun = knob, noun
        self._entries: dict[str, E] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: E) -> None:
        """Add an entry; ConfigError if its name is taken."""
        self.require_new(entry)
        self._entries[entry.name] = entry

    def require_new(self, entry: E) -> None:
        """Raise ConfigError if the entry's name is taken."""
        if (other := self._entries.get(entry.name)) is not None:
            raise ConfigError(f"{self._addition(entry)}, which {other.distribution or 'ltr'} has already")

    def require_kind(self, entry: E) -> None:
        """Raise ConfigError if the entry's class is not one of those present, whose traits are needed."""
        kinds = {type(present) for present in self._entries.values()}
        if not isinstance(entry, tuple(kinds)):
            names = " or ".join(sorted(kind.__name__ for kind in kinds))
            raise ConfigError(f"{self._addition(entry)} as {type(entry).__name__}; must be {names}")

    def _addition(self, entry: E) -> str:
        return f"{self.knob}={entry.name}: {entry.distribution or 'ltr'} adds this {self.noun}"

    def unknown(self, name: str, knob: str | None = None) -> str:
        """Return a message for an unknown name, with the nearest entry; `knob` replaces the registry's."""
        return f"{knob or self.knob}={name}: unknown {self.noun}; {nearest(name, self)}"

    def __getitem__(self, name: str) -> E:
        plugins.installed()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.unknown(name)) from None

    def __iter__(self) -> Iterator[str]:
        plugins.installed()
        return iter(self._entries)

    def __len__(self) -> int:
        plugins.installed()
        return len(self._entries)
