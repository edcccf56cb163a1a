"""Write docs/choices.md: every choice and every knob in one line, from YAML files, registries and the schema.

python scripts/choices.py
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ltr.config.groups import ARM, choices, group_names
from ltr.config.parse import knobs
from ltr.registry import Entry

BAR = r"\|"
"""A vertical bar inside a table cell."""

PAGE = Path(__file__).parents[1] / "docs" / "choices.md"
HEAD = """\
# Choices and knobs

Written by `scripts/choices.py`. `ltr run --help` lists the choices too, and the knobs with their defaults.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *_groups(), *_arms(), *_names(), *_knobs()])


def _groups() -> Iterator[str]:
    for group in group_names():
        yield from _table(group, {f"{group}={name}": line for name, line in choices(group).items()})


def _arms() -> Iterator[str]:
    yield from _table("arms, as in `arms=[ticket,random_mask]`", choices(ARM))


def _names() -> Iterator[str]:
    """Yield a table of the registry entries of each knob."""
    for knob in knobs():
        if knob.registry is not None:
            lines = {f"{knob.name}={name}": _line(entry) for name, entry in knob.registry.items()}
            yield from _table(f"`{knob.name}`: {knob.meaning}", lines)


def _line(entry: Entry) -> str:
    """Return an entry's line with its traits that are numbers or booleans."""
    plain = {name: value for name, value in entry.traits.items() if isinstance(value, int)}
    traits = (f"`{name}={str(value).lower()}`" for name, value in plain.items())
    return " ".join((str(entry), *traits))


def _knobs() -> Iterator[str]:
    lines = {knob.name: f"{knob.meaning}: {knob.allowed}" for knob in knobs()}
    yield from _table("knobs", lines)


def _table(title: str, lines: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title[0].upper()}{title[1:]}\n\n| | |\n|---|---|"
    for name, line in lines.items():
        yield f"| `{name}` | {line.replace('|', BAR)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
