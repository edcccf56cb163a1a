"""Checks of the YAML files of the config groups, whose errors name file and line."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ltr.config import groups
from ltr.config.groups import ARM, choice_names, file_of, group_names
from ltr.config.names import checked
from ltr.config.parse import KnobError, knobs, nearest_knob, require_arms, validated
from ltr.config.schema import Arm
from ltr.config.yaml_file import ConfigFile, read
from ltr.errors import ConfigError
from ltr.suggestions import nearest

GLOBAL = "_global_"
"""The package of files that set any knob, not those of their group alone."""


def problem(group: str, choice: str) -> str:
    """What is wrong with a choice's file, if anything is."""
    try:
        check(group, choice)
    except ConfigError as error:
        return str(error)
    return ""


def check(group: str, choice: str) -> set[str]:
    """The arms that the file of a choice, or one it is made of, defines.

    ConfigError, which names file and line, if one of them is wrong.
    """
    return _check(group, choice, ())


def in_arm_file(error: KnobError, arm: Arm) -> ConfigError | None:
    """The error of an arm's knob with file and line, if the arm is what its file says; else None."""
    _, name, knob = error.path
    if name not in choice_names(ARM):
        return None
    file = _read(ARM, name)
    if validated({ARM: {name: file.values()}}).arm[name] != arm:
        return None
    return file.error(file.line([knob]), str(error))


def sources(group: str, choice: str) -> Iterator[Path]:
    """The file of a choice, and those that its defaults name; ConfigError if one of them is wrong."""
    file = _read(group, choice)
    yield file.path
    for default in _defaults(file) if group != ARM else ():
        if named := _named(file, default):
            yield from sources(named, default.choice)


def check_arms(arms: Sequence[str], defined: Iterable[str]) -> None:
    """ConfigError if the file of an arm is wrong; KnobError if it has none and is not among those defined."""
    if not arms:
        return
    files = set(choice_names(ARM))
    for arm in files.intersection(arms):
        check(ARM, arm)
    require_arms(arms, files.union(defined))


def arms() -> dict[str, dict[str, Any]]:
    """Return what the file of each arm sets, by the arm's name, without arms whose file is wrong."""
    found = {}
    for arm in choice_names(ARM):
        with contextlib.suppress(ConfigError):
            file = _read(ARM, arm)
            _check_knobs(file, (ARM, arm))
            found[arm] = file.values()
    return found


def base_choices() -> dict[str, str]:
    """The choice that config.yaml makes of each group; ConfigError if config.yaml is wrong."""
    base = read(groups.config_dir() / "config.yaml")
    chosen = {default.key: default.choice for default in _defaults(base)}
    return {group: chosen[group] for group in group_names() if chosen.get(group, "null") != "null"}


def _check(group: str, choice: str, begun: tuple[tuple[str, str], ...]) -> set[str]:
    file = _read(group, choice)
    if group == ARM:
        _check_knobs(file, (ARM, choice))
        return {choice}
    if (group, choice) in begun:
        raise file.error(1, "is one of its own defaults")
    arms = set()
    for default in _defaults(file):
        if named := _named(file, default):
            arms |= _check(named, default.choice, (*begun, (group, choice)))
    values = _check_knobs(file, _package(file))
    arms |= set(values.get(ARM, {}))
    try:
        check_arms(values.get("arms", ()), arms)
    except KnobError as error:
        raise file.error(file.line(error.path), str(error)) from None
    return arms


def _read(group: str, choice: str) -> ConfigFile:
    """Return the file of a choice; ConfigError where it is no YAML, or refers to a knob that is not there."""
    file = read(file_of(group, choice), group)
    if "${" in file.text:
        _check_references(file, file.root)
        _check_grammar(file)
    return file


def _check_references(file: ConfigFile, node: yaml.Node | None) -> None:
    """`${name}` names a knob, or a group of them."""
    if isinstance(node, yaml.ScalarNode):
        for name in re.findall(r"(?<!\\)\$\{\s*([A-Za-z_][\w.]*)\s*\}", node.value):
            if not _is_referable(name):
                names = [knob.name for knob in knobs()]
                message = f"${{{name}}}: unknown knob; {nearest_knob(name, names)}"
                raise file.error(node.start_mark.line + 1, message)
    elif isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for one in item if isinstance(item, tuple) else [item]:
                _check_references(file, one)


def _is_referable(name: str) -> bool:
    if name.startswith((f"{ARM}.", "hydra.")):
        return True
    return any(knob.name == name or knob.name.startswith(f"{name}.") for knob in knobs())


def _package(file: ConfigFile) -> tuple[str, ...]:
    """The keys under which Hydra puts what is in a file; ConfigError if Hydra would not see which."""
    lines = file.text.splitlines()
    found = [number for number, line in enumerate(lines, 1) if re.match(r"\s*#\s*@\s*package\b", line)]
    wanted = f"# @package {GLOBAL}"
    if not found:
        if file.group == "experiment":
            raise file.error(
                1, f"the first line must be '{wanted}', as an experiment sets knobs of all groups"
            )
        return (file.group,)
    (line, *_) = found
    match = re.fullmatch(r"\s*#\s*@package\s+([\w.]+)\s*", lines[line - 1])
    if match is None or (file.group == "experiment" and match[1] != GLOBAL):
        raise file.error(line, f"{lines[line - 1].strip()}: must be '{wanted}'")
    if any(before.strip() for before in lines[: line - 1]):
        raise file.error(line, f"'{lines[line - 1].strip()}' must be the first line of the file")
    return {GLOBAL: (), "_group_": (file.group,)}.get(match[1], tuple(match[1].split(".")))


def _check_knobs(file: ConfigFile, package: tuple[str, ...]) -> dict[str, Any]:
    """What the file sets, below the keys of its package; ConfigError if it may not."""
    values = _known(file.values())
    if file.group != ARM:
        values.pop("defaults", None)
    if not package:
        values.pop("hydra", None)
        _check_groups(file, values)
    for key in reversed(package):
        values = {key: values}
    try:
        checked(values)
    except KnobError as error:
        raise file.error(file.line(error.path[len(package) :]), str(error)) from None
    return values


def _check_grammar(file: ConfigFile) -> None:
    """Require that OmegaConf can read what stands between ${ and }."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        OmegaConf.create(file.text)
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"{file.path}: {' '.join(str(error).split())}") from None


def _check_groups(file: ConfigFile, values: Mapping[str, Any]) -> None:
    """A choice is made in `defaults`, not like a knob."""
    for group in group_names():
        if isinstance(choice := values.get(group), str):
            line = file.line([group])
            raise file.error(
                line,
                f"{group}: {choice}: a choice is made under 'defaults:', by '- override /{group}: {choice}'",
            )


def _known(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {key: _known(value) for key, value in values.items() if not _is_open(value)}


def _is_open(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and ("${" in part or part == "???") for part in parts)


class Default(NamedTuple):
    """One of the `defaults` of a file: the choice of a group, or of another file of its own group."""

    line: int
    key: str
    """the group as the file has it, with `override` and `/`; empty: its own"""
    choice: str


def _defaults(file: ConfigFile) -> Iterator[Default]:
    entries = file.node("defaults")
    if entries is None:
        return
    if not isinstance(entries, yaml.SequenceNode):
        raise file.error(entries.start_mark.line + 1, "defaults: must be a list, with '- ' before each")
    for entry in entries.value:
        line, key, choice = entry.start_mark.line + 1, "", entry
        if isinstance(entry, yaml.MappingNode) and len(entry.value) == 1:
            (key, choice) = entry.value[0][0].value, entry.value[0][1]
        for one in choice.value if isinstance(choice, yaml.SequenceNode) else [choice]:
            if not isinstance(one, yaml.ScalarNode):
                raise file.error(
                    line, "defaults: each must be a file of this group or one 'override /group: choice'"
                )
            yield Default(line, " ".join(key.replace("optional ", "").split()), one.value)


def _named(file: ConfigFile, default: Default) -> str | None:
    """The group whose file one of the defaults is, None if it is not one of ltr's; ConfigError if none is."""
    line, key, choice = default
    group = key.removeprefix("override ").lstrip("/") or file.group
    if choice == "_self_" or choice.startswith("/") or group.startswith("hydra/") or "${" in choice:
        return None
    if group not in group_names():
        raise file.error(line, f"{group}: unknown group; {nearest(group, group_names())}")
    if key and key != f"override /{group}":
        raise file.error(line, f"'{key}: {choice}': must be 'override /{group}: {choice}'")
    if choice in ("null", ""):
        return None
    if choice not in choice_names(group):
        raise file.error(line, f"{group}={choice}: unknown choice; {nearest(choice, choice_names(group))}")
    return group
