"""What to type to have something again."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def command(settings: Mapping[str, Any], data: str | None = None) -> str:
    """The `ltr run` of knobs by dotted name, as a shell takes it.

    `data` is `dataset.path`: where it lies is another matter on another machine, so of it the name is
    said alone. Whether it is the same data its checksum tells, which is a setting.
    """
    named = {**settings, "dataset.path": Path(data).name} if data else settings
    return shlex.join(["ltr", "run", *(f"{name}={word(value)}" for name, value in named.items())])


def word(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, list):
        return f"[{','.join(map(word, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
