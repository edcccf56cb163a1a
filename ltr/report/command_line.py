"""The command that repeats a run."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.config.groups import ARM, is_built_in
from ltr.config.literals import literal

if TYPE_CHECKING:
    from ltr.config.schema import Dataset  # imports pydantic


def command(settings: Mapping[str, Any], data: "Dataset") -> str:
    """Return the `ltr run` command with the given knobs, quoted for a shell.

    The command defines arms that are not built in. For data of the user's own it has the layout but only
    the file name of the path, since the folder differs between machines; the checksum among the settings
    identifies the data.
    """
    knobs = dict(settings)
    if data.path:
        knobs["dataset.path"] = Path(data.path).name
    if data.layout:
        knobs["dataset.layout"] = data.layout
    return shlex.join(["ltr", "run", *(f"{_key(name)}={literal(value)}" for name, value in knobs.items())])


def _key(name: str) -> str:
    """Return the name of a knob; with Hydra's `++`, which adds a key, for an arm that is not built in."""
    group, _, rest = name.partition(".")
    is_added = group == ARM and not is_built_in(ARM, rest.partition(".")[0])
    return f"++{name}" if is_added else name
