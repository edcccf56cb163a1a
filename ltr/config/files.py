"""Checks of the YAML files of the config groups. Errors name file and line."""

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ltr.config import groups, hydra_settings
from ltr.config.groups import ARM, choice_names, file_of, group_names
from ltr.config.literals import literal
from ltr.config.names import checked
from ltr.config.parse import KnobError, knobs, nearest_knob, require_arms, validated
from ltr.config.schema import Arm
from ltr.config.yaml_file import ConfigFile, read
from ltr.errors import ConfigError
from ltr.registry.suggestions import nearest

SWEEP = ("hydra", "sweeper", "params")
"""Keys that lead to the values of a sweep in a YAML file."""

GLOBAL = "_global_"
"""Hydra package of a file that may set any knob, not only those of its group."""


def problem(group: str, choice: str) -> str:
    """Return the error message of the file of a choice; empty if the file is valid."""
    try:
        check(group, choice)
    except ConfigError as error:
        return str(error)
    return ""


def check(group: str, choice: str) -> set[str]:
    """Check the file of a choice and the files of its defaults; return the arms that they define.

    Raises:
        ConfigError: a file is wrong; the message names file and line.
    """
    return _check(group, choice, ())


def in_arm_file(error: KnobError, arm: Arm) -> ConfigError | None:
    """Return the error of an arm with file and line; None if the arm is not as its file defines it."""
    _, name, knob = error.path
    if name not in choice_names(ARM):
        return None
    file = _read(ARM, name)
    if validated({ARM: {name: file.values()}}).arm[name] != arm:
        return None
    return file.error(file.line([knob]), str(error))


def sources(group: str, choice: str) -> Iterator[Path]:
    """Yield the file of a choice and the files of its defaults; ConfigError if one is wrong."""
    file = _read(group, choice)
    yield file.path
    for default in _defaults(file) if group != ARM else ():
        if chosen := _group_of(file, default):
            yield from sources(chosen, default.choice)


def swept(group: str, choice: str) -> Iterator[tuple[str, ConfigError]]:
    """Yield the knobs that the file of a choice, or of its defaults, sweeps, each with its error."""
    for path in sources(group, choice):
        file = read(path, group)
        values: Any = file.values()
        for key in SWEEP:
            values = values.get(key) if isinstance(values, Mapping) else None
        for knob, value in values.items() if isinstance(values, Mapping) else ():
            line = file.line((*SWEEP, knob))
            yield knob, file.error(line, f"{knob}={literal(value)}: a value of {'.'.join(SWEEP)}")


def check_arms(value: Any, defined: Iterable[str]) -> None:
    """Raise ConfigError if the file of an arm is wrong, KnobError if an arm is not defined at all.

    Args:
        value: value of the knob `arms`, a name or a list of names; other values name no arm.
        defined: arms that are defined beside the group `arm`.
    """
    arms = [arm for arm in (value if isinstance(value, list | tuple) else [value]) if isinstance(arm, str)]
    if not arms:
        return
    files = set(choice_names(ARM))
    for arm in files.intersection(arms):
        check(ARM, arm)
    require_arms(arms, files.union(defined))


def arms() -> dict[str, dict[str, Any]]:
    """Return the values that the file of each arm sets, by arm, without arms whose file is wrong."""
    values = {}
    for arm in choice_names(ARM):
        with contextlib.suppress(ConfigError):
            file = _read(ARM, arm)
            _check_values(file, (ARM, arm))
            values[arm] = file.values()
    return values


def base_choices() -> dict[str, str]:
    """Return the choice of each group in config.yaml; ConfigError if config.yaml is wrong."""
    base = read(groups.config_dir() / "config.yaml")
    chosen = {default.key: default.choice for default in _defaults(base)}
    return {group: chosen[group] for group in group_names() if chosen.get(group, "null") != "null"}


def _check(group: str, choice: str, parents: tuple[tuple[str, str], ...]) -> set[str]:
    file = _read(group, choice)
    if group == ARM:
        return _check_values(file, (ARM, choice))
    if (group, choice) in parents:
        raise file.error(1, "is one of its own defaults")
    arms = set()
    for default in _defaults(file):
        if chosen := _group_of(file, default):
            arms |= _check(chosen, default.choice, (*parents, (group, choice)))
    return arms | _check_values(file, _package(file), arms)


def _read(group: str, choice: str) -> ConfigFile:
    """Return the file of a choice; ConfigError if it is not YAML or refers to an unknown knob."""
    file = read(file_of(group, choice), group)
    if "${" in file.text:
        _check_references(file, file.root)
        _check_grammar(file)
    return file


def _check_references(file: ConfigFile, node: yaml.Node | None) -> None:
    """Require that each `${name}` names a knob or a group of knobs."""
    if isinstance(node, yaml.ScalarNode):
        for name in re.findall(r"(?<!\\)\$\{\s*([A-Za-z_][\w.]*)\s*\}", node.value):
            if not _is_referable(name):
                names = [knob.name for knob in knobs()]
                message = f"${{{name}}}: unknown knob; {nearest_knob(name, names)}"
                raise file.error(node.start_mark.line + 1, message)
    elif isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for child in item if isinstance(item, tuple) else [item]:
                _check_references(file, child)


def _is_referable(name: str) -> bool:
    if name.startswith((f"{ARM}.", "hydra.")):
        return True
    return any(knob.name == name or knob.name.startswith(f"{name}.") for knob in knobs())


def _package(file: ConfigFile) -> tuple[str, ...]:
    """Return the keys under which Hydra puts a file's content; ConfigError if Hydra cannot read them."""
    lines = file.text.splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if re.match(r"\s*#\s*@\s*package\b", line)]
    expected = f"# @package {GLOBAL}"
    if not numbers:
        if file.group == "experiment":
            raise file.error(
                1, f"the first line must be '{expected}', as an experiment sets knobs of all groups"
            )
        return (file.group,)
    (line, *_) = numbers
    match = re.fullmatch(r"\s*#\s*@package\s+([\w.]+)\s*", lines[line - 1])
    if match is None or (file.group == "experiment" and match[1] != GLOBAL):
        raise file.error(line, f"{lines[line - 1].strip()}: must be '{expected}'")
    if any(before.strip() for before in lines[: line - 1]):
        raise file.error(line, f"'{lines[line - 1].strip()}' must be the first line of the file")
    return {GLOBAL: (), "_group_": (file.group,)}.get(match[1], tuple(match[1].split(".")))


def _check_values(file: ConfigFile, package: tuple[str, ...], arms: Collection[str] = ()) -> set[str]:
    """Check a file's values below the keys of its package; return the arms that they define.

    Args:
        file: the file.
        package: its package (see `_package`).
        arms: arms that its defaults define.

    Raises:
        ConfigError: a value is wrong.
    """
    values = _without_references(file.values())
    if file.group != ARM:
        values.pop("defaults", None)
    if not package:
        values.pop("hydra", None)
        _check_hydra(file, file.values().get("hydra"))
        _check_groups(file, values)
    for key in reversed(package):
        values = {key: values}
    definitions = values.get(ARM)
    defined = set(definitions) if isinstance(definitions, Mapping) else set()
    try:
        check_arms(values.get("arms"), defined.union(arms))
        checked(values)
    except KnobError as error:
        raise file.error(file.line(error.path[len(package) :]), str(error)) from None
    return defined


def _check_hydra(file: ConfigFile, settings: Any) -> None:
    """Require that a file sets of Hydra's settings what a word may set."""
    for path in hydra_settings.paths({"hydra": settings}) if settings else ():
        if not hydra_settings.may_be_set(".".join(path)):
            raise file.error(file.line(path), _not_hydras(".".join(path)))
    if hydra_settings.names_target(settings):
        raise file.error(file.line(["hydra"]), f"hydra: {hydra_settings.NO_TARGET}")
    for name, value in (settings or {}).items():
        if hydra_settings.refers(f"hydra.{name}", value):
            raise file.error(file.line(["hydra", name]), f"hydra.{name}: {hydra_settings.NO_REFERENCE}")


def _not_hydras(key: str) -> str:
    return f"{key}: of Hydra's settings, {hydra_settings.ALLOWED} can be set"


def _check_grammar(file: ConfigFile) -> None:
    """Require that OmegaConf can parse the references between ${ and }."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        OmegaConf.create(file.text)
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"{file.path}: {' '.join(str(error).split())}") from None


def _check_groups(file: ConfigFile, values: Mapping[str, Any]) -> None:
    """Require that choices are made in `defaults`, not like values of knobs."""
    for group in group_names():
        if isinstance(choice := values.get(group), str):
            line = file.line([group])
            raise file.error(
                line,
                f"{group}: {choice}: a choice is made under 'defaults:', by '- override /{group}: {choice}'",
            )


def _without_references(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {key: _without_references(value) for key, value in values.items() if not _is_reference(value)}


def _is_reference(value: Any) -> bool:
    """Return whether OmegaConf resolves the value later, because it holds `${...}` or is `???`."""
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and ("${" in part or part == "???") for part in parts)


class Default(NamedTuple):
    """Entry of a file's `defaults`: a choice of a group, or another file of the same group."""

    line: int
    key: str
    """group as written in the file, with `override` and `/`; empty for the file's own group"""
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
        for node in choice.value if isinstance(choice, yaml.SequenceNode) else [choice]:
            if not isinstance(node, yaml.ScalarNode):
                raise file.error(
                    line, "defaults: each must be a file of this group or one 'override /group: choice'"
                )
            yield Default(line, " ".join(key.replace("optional ", "").split()), node.value)


def _group_of(file: ConfigFile, default: Default) -> str | None:
    """Return the group of a default; None if the default names no file of ltr's groups.

    Raises:
        ConfigError: the group or the choice is unknown.
    """
    line, key, choice = default
    group = key.removeprefix("override ").lstrip("/") or file.group
    full = choice.lstrip("/") if choice.startswith("/") else f"{group}/{choice}"
    if full.startswith("hydra/") and not hydra_settings.may_be_set(full.rpartition("/")[0]):
        raise file.error(line, _not_hydras(full))
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
