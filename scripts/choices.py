"""Writes docs/choices.md: everything that can be chosen, a line each, from the YAML files and docstrings.

python scripts/choices.py
"""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ltr.config.groups import ARM, choices, group_names
from ltr.config.parse import knobs
from ltr.pruning.criteria import CRITERIA

BAR = r"\|"
"""A bar inside a cell of a table."""

PAGE = Path(__file__).parents[1] / "docs" / "choices.md"
HEAD = """\
# What can be chosen

Written by `scripts/choices.py`. `ltr run --help` lists the choices too, and the knobs with their defaults.
"""


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join([HEAD, *_groups(), *_arms(), *_criteria(), *_knobs()])


def _groups() -> Iterator[str]:
    for group in group_names():
        yield from _table(group, {f"{group}={name}": line for name, line in choices(group).items()})


def _arms() -> Iterator[str]:
    yield from _table("arms, as in `arms=[ticket,random_mask]`", choices(ARM))


def _criteria() -> Iterator[str]:
    lines = {f"pruning.criterion={name}": _opening(function) for name, function in CRITERIA.items()}
    yield from _table("criteria: the score of a weight, the lowest of which are pruned", lines)


def _knobs() -> Iterator[str]:
    lines = {knob.name: f"{knob.meaning}: {knob.allowed}" for knob in knobs()}
    yield from _table("knobs", lines)


def _opening(function: Any) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def _table(title: str, lines: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title[0].upper()}{title[1:]}\n\n| | |\n|---|---|"
    for name, line in lines.items():
        yield f"| `{name}` | {line.replace('|', BAR)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
