"""What every registry and every entry has in common."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from ltr.config.groups import choices, group_names
from ltr.config.parse import Knob, knobs
from ltr.methods.registry import WATCHED
from ltr.registry import Entry, Registry

ROOT = Path(__file__).parents[2]
NAMED = [knob for knob in knobs() if knob.registry is not None]
REGISTRIES: dict[str, Registry[Any]] = {
    **{knob.name: knob.registry for knob in NAMED if knob.registry},
    WATCHED.knob: WATCHED,
}
ENTRIES = [
    pytest.param(entry, id=f"{knob}={entry.name}")
    for knob, registry in REGISTRIES.items()
    for entry in registry.values()
]
UNPUBLISHED = {
    *(
        "none",
        "digits",
        "custom",
        "sgd",
        "momentum",
        "constant",
        "step",
        "any",
        "ticket",
        "iterated",
        "found",
    ),
    *("by_input", "global", "even", "own", "initial", "rewound", "zero", "kept", "weights"),
    *("tensorboard", "mlflow", "wandb"),
}
"""Entries that no publication proposes."""


@pytest.mark.parametrize("knob", NAMED, ids=lambda knob: knob.name)
def test_a_registry_knows_its_knob_and_its_default_is_in_it(knob: Knob) -> None:
    registry = REGISTRIES[knob.name]
    assert registry.knob == knob.name
    assert re.fullmatch("[a-z ]+", registry.noun)
    default = knob.default if isinstance(knob.default, list) else [knob.default]
    assert set(default) <= set(registry)
    assert set(registry) <= set(re.split(r"\W+", knob.allowed))


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_documented_in_one_line(entry: Entry) -> None:
    assert re.fullmatch(r"\w+", entry.name)
    assert re.fullmatch(r"[A-Z0-9][^\n]*\.", entry.doc), "one sentence, from capital to full stop"
    assert not re.match(r"(What|Those|Of|How)\b", entry.doc)
    assert len(entry.doc) <= 110
    assert entry.distribution == "", "is ltr's own"


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_published_entry_names_its_paper(entry: Entry) -> None:
    if entry.name in UNPUBLISHED and not entry.paper:
        return
    papers = entry.paper.split("; ")
    assert all(re.fullmatch(r"[A-Z]\w+( et al\.| & [A-Z]\w+)?, (19|20)\d\d", paper) for paper in papers)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_loads(entry: Entry) -> None:
    package = getattr(entry, "package", "")
    if package:
        pytest.importorskip(package)
    if entry.code:
        assert entry.load() is not None
    else:
        assert entry.name in ("none", "layerwise", "global"), "has nothing to load"


@pytest.mark.parametrize("entry", ENTRIES)
def test_options_have_defaults_and_are_documented(entry: Entry) -> None:
    if entry.options is None:
        return
    entry.options()
    assert all(knob.meaning and knob.allowed for knob in knobs(entry.options))


@pytest.mark.parametrize("group", [group for group in group_names() if f"{group}.name" in REGISTRIES])
def test_every_entry_of_a_config_group_has_its_file(group: str) -> None:
    assert set(choices(group)) == set(REGISTRIES[f"{group}.name"])


def test_every_scope_has_its_file() -> None:
    assert set(choices("pruning")) == set(REGISTRIES["pruning.scope"])


def test_an_entry_cannot_be_altered() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        next(iter(REGISTRIES["model.name"].values())).name = "other"


ELSEWHERE = {"registry.py", "torch_baseline.py"}
"""Files that may list names: registries, and the list of what PyTorch trains too."""


@pytest.mark.parametrize("knob", REGISTRIES)
def test_no_list_of_names_is_written_a_second_time(knob: str) -> None:
    """Three names of a registry in a row, quoted or not, are a list."""
    name = rf"""["'`]?\b(?:{"|".join(REGISTRIES[knob])})\b["'`]?"""
    names = re.compile(rf"{name}(?:,|,? or|,? and)\s+{name}(?:,|,? or|,? and)\s+{name}")
    texts = {path: path.read_text() for path in (ROOT / "ltr").rglob("*.py") if path.name not in ELSEWHERE}
    assert {path.name: found[0] for path, text in texts.items() if (found := names.search(text))} == {}
