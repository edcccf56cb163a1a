"""What to type to have something again."""

import shlex
from collections.abc import Mapping
from typing import Any

HERE = ("output_root", "data_dir")
"""Knobs of a machine, which others will choose for theirs."""


def command(settings: Mapping[str, Any]) -> str:
    """The `ltr run` of knobs by dotted name, as a shell takes it."""
    words = [f"{name}={word(value)}" for name, value in settings.items() if name not in HERE]
    return shlex.join(["ltr", "run", *words])


def word(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, list):
        return f"[{','.join(map(word, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
