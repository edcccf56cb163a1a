"""What to type to have something again."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.config.groups import ARM, is_built_in

if TYPE_CHECKING:
    from ltr.config.schema import Dataset  # and with it pydantic


def command(settings: Mapping[str, Any], data: "Dataset") -> str:
    """The `ltr run` of knobs by dotted name, as a shell takes it.

    It defines arms that are not ltr's. Where data of one's own lie is another matter on another machine, so
    of their path the name is said alone, and how it is read. Whether they are the same data their checksum
    tells, which is a setting.
    """
    named = dict(settings)
    if data.path:
        named["dataset.path"] = Path(data.path).name
    if data.layout:
        named["dataset.layout"] = data.layout
    return shlex.join(["ltr", "run", *(f"{_key(name)}={word(value)}" for name, value in named.items())])


def _key(name: str) -> str:
    """The name of a knob; with ++ before it, which defines what is not there, of an arm that is not ltr's."""
    group, _, rest = name.partition(".")
    is_added = group == ARM and not is_built_in(ARM, rest.partition(".")[0])
    return f"++{name}" if is_added else name


def word(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, list):
        return f"[{','.join(map(word, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
