"""Settings of Hydra that words and experiments may change: launcher, sweeper, folders.

Others could run any code, as Hydra calls what `_target_` names.
"""

from collections.abc import Iterator, Mapping
from typing import Any

GROUPS = ("launcher", "sweeper")
"""Config groups of Hydra from which a launcher and a sweeper are chosen."""

_NODES = ("run.dir", "sweep.dir", "sweep.subdir", "mode")
_TARGET = "_target_"

NO_TARGET = f"must not hold {_TARGET}, which names code to run"
NO_REFERENCE = f"must be no reference for a launcher or sweeper, as it could stand for {_TARGET}"

ALLOWED = (
    "hydra/launcher, hydra/sweeper, options of both such as hydra.launcher.n_jobs, "
    "hydra.run.dir, hydra.sweep.dir, hydra.sweep.subdir and hydra.mode"
)


def may_be_set(key: str) -> bool:
    """Return whether a word may set `key`, as in `hydra/launcher` or `hydra.sweep.dir`."""
    if "/" in key:
        return key in {f"hydra/{group}" for group in GROUPS}
    name = key.removeprefix("hydra.")
    group, _, option = name.partition(".")
    return name in _NODES or (group in GROUPS and bool(option) and _TARGET not in option)


def paths(node: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the keys that lead to each value of nested mappings, from the outermost to the innermost."""
    if not isinstance(node, Mapping) or not node:
        yield above
        return
    for name, value in node.items():
        yield from paths(value, (*above, str(name)))


def names_target(value: Any) -> bool:
    """Return whether a value, a mapping or a list of some, names what Hydra would call."""
    if isinstance(value, Mapping):
        return _TARGET in map(str, value) or any(map(names_target, value.values()))
    return isinstance(value, list) and any(map(names_target, value))


def refers(key: str, value: Any) -> bool:
    """Return whether an option of a launcher or sweeper, or a part of it, is nothing but a reference.

    OmegaConf may resolve it to a mapping. Text with a reference inside stays text.
    """
    return key.split(".")[1] in GROUPS and _is_reference(value)


def _is_reference(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_reference, value.values()))
    if isinstance(value, list):
        return any(map(_is_reference, value))
    return isinstance(value, str) and value.startswith("${") and value.endswith("}")
