"""The registry itself; what every registry has in common is in tests/registry/test_registries.py."""

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

from ltr.errors import ConfigError
from ltr.registry import Entry, Registry, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Fruit(Entry):
    is_sweet: bool = False


def fruits() -> Registry[Fruit]:
    return Registry(
        "bowl.fruit",
        "fruit",
        [
            Fruit(name="apple", doc="A pome.", code="orchard:apple", paper="Linnaeus, 1753"),
            Fruit(name="pear", doc="Another pome.", is_sweet=True),
        ],
    )


def test_it_is_a_mapping_in_the_order_of_addition() -> None:
    registry = fruits()
    assert list(registry) == ["apple", "pear"]
    assert registry["pear"].name == "pear"
    assert "plum" not in registry
    assert registry.get("plum") is None


def test_an_unknown_name_is_one_line_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as raised:
        fruits()["aple"]
    assert str(raised.value) == "bowl.fruit=aple: unknown fruit; did you mean apple?"
    assert raised.value.exit_code == 2


def test_the_line_can_name_the_knob_of_one_arm() -> None:
    assert fruits().unknown("x", "bowl.2.fruit") == "bowl.2.fruit=x: unknown fruit; known: apple, pear"


def test_a_name_is_added_once() -> None:
    registry = fruits()
    registry.add(Fruit(name="plum", doc="A drupe.", distribution="orchard 1.0"))
    with pytest.raises(ConfigError, match=r"^bowl\.fruit=plum: ltr adds this fruit, which orchard 1\.0 has"):
        registry.add(Fruit(name="plum", doc="Another."))
    assert registry["plum"].doc == "A drupe."


def test_code_is_imported_when_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    apple = fruits()["apple"]
    with pytest.raises(ModuleNotFoundError):
        apple.load()
    orchard = ModuleType("orchard")
    orchard.apple = "crisp"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "orchard", orchard)
    assert apple.load() == "crisp"


def test_traits_are_the_fields_of_a_kind_beyond_their_defaults() -> None:
    assert fruits()["apple"].traits == {}
    assert fruits()["pear"].traits == {"is_sweet": True}


def test_an_entry_in_words_names_its_paper() -> None:
    assert str(fruits()["apple"]) == "A pome (Linnaeus, 1753)."
    assert str(fruits()["pear"]) == "Another pome."
