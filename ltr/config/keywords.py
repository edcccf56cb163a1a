"""Conversion of knobs given as Python keywords to words of the command line."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ltr.config.overrides import as_text
from ltr.errors import ConfigError

_PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z_][\w.-]*|\d+ep", re.ASCII | re.IGNORECASE)
"""Text that Hydra's grammar reads literally without quotes."""


def words(texts: Sequence[str], knobs: Mapping[str, Any]) -> list[str]:
    """Return the words unchanged, followed by a word for each knob.

    A keyword is the part of a word before `=`. It may be dotted, as in `{"pruning.scope": "global"}`.
    A dictionary holds the knobs of a group: `optimizer={"momentum": 0.8}` is `optimizer.momentum=0.8`.
    `None` becomes `null`. A tuple becomes a list, and a path becomes text. NumPy scalars and arrays become
    numbers and lists. Text is literal: no character has a special meaning.

    Raises:
        ConfigError: a word is not text, or a word cannot express the name or the value of a knob.
    """
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{text!r}: not a word; type 'key=value', as in 'prune_rate=0.2', or a keyword")
    return [*texts, *_words("", knobs)]


def _words(prefix: str, knobs: Mapping[str, Any]) -> Iterator[str]:
    for name, value in knobs.items():
        if not isinstance(name, str) or not name or "=" in name:
            raise ConfigError(f"{prefix}{name}: not the name of a knob")
        if isinstance(value, Mapping):
            yield from _words(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}={_value(f'{prefix}{name}', value)}"


def _value(name: str, value: Any) -> str:
    """Return a value in Hydra's grammar."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return value if _PLAIN.fullmatch(value) else as_text(value)
        case list() | tuple() | range():
            return f"[{','.join(_value(name, item) for item in value)}]"
    raise ConfigError(f"{name}={value!r}: must be a number, text, True, False, None, or a list of these")
