"""Names that the words of a command line set, one of which an error must point at."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ltr.config import files
from ltr.config.groups import ARM, choices, group_names
from ltr.config.yaml_file import read

GLOBAL = "experiment"
"""Group whose files set knobs of all groups."""


def points_at(message: str, words: Sequence[str]) -> bool:
    """Return whether a message has one of the words, or a name that they set; a plain one before = or :.

    Without its sign, a name such as `steps` or `model` could be an English word.
    """
    return any(word in message for word in words) or any(_is_in(name, message) for name in names(words))


def names(words: Sequence[str]) -> set[str]:
    """Return the knobs and groups that words set, and the knobs that the files of their choices set."""
    return {name for word in words for name in _of_word(word)}


def _is_in(name: str, message: str) -> bool:
    after = r"(?!\w|\.\w)" if "." in name else r"[=:]"
    return re.search(rf"(?<![\w.]){re.escape(name)}{after}", message) is not None


def _of_word(word: str) -> Iterator[str]:
    key, _, value = word.lstrip("+~").partition("=")
    yield key
    yield key.removesuffix(".name")  # a choice of a group is also made by its name
    if key in group_names() and value in choices(key):
        yield from _of_file(key, value)
    elif key == "arms":
        for arm in {*re.findall(r"\w+", value)}.intersection(choices(ARM)):
            yield from _of_file(ARM, arm)


@functools.cache
def _of_file(group: str, choice: str) -> frozenset[str]:
    """Return the groups and knobs that a file sets, with the files of its defaults."""
    found = set()
    for path in files.sources(group, choice):
        folder = path.parent.name
        prefix = {GLOBAL: "", ARM: f"{ARM}.{choice}."}.get(folder, f"{folder}.")
        values = {name: value for name, value in read(path).values().items() if name != "defaults"}
        found |= {folder, *_dotted(prefix, values)}
    return frozenset(found)


def _dotted(prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}"
