"""Checks of the YAML files of the config groups, whose errors name file and line.

Hydra and PyYAML meet a mistake in a file with a traceback, or with a message that names neither.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ltr.config import groups
from ltr.config.groups import ARM, choices, file_of, group_names
from ltr.config.names import checked
from ltr.config.parse import KnobError, knobs, nearest_knob, require_arms, validated
from ltr.config.schema import Arm
from ltr.errors import ConfigError
from ltr.suggestions import nearest

GLOBAL = "_global_"
"""The package of files that set any knob, not those of their group alone."""

YAML_PROBLEMS = {
    "\\t": "indented with a tab; YAML takes spaces alone",
    "expected <block end>": "indented otherwise than the lines above it",
    "mapping values are not allowed": "a second ': ', or indented more than the line above it",
    "could not find expected ':'": "has no ': ' between a knob and its value",
}
"""What PyYAML says, and the mistake that it mostly comes from."""


class ConfigFile(NamedTuple):
    """A YAML file of a config group, as it was read."""

    path: Path
    group: str
    text: str
    root: yaml.MappingNode | None
    """None: comments alone"""

    def error(self, line: int, message: str) -> ConfigError:
        """An error in a line, counted from 1."""
        return ConfigError(f"{self.path}:{line}: {message}")


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
    if name not in choices(ARM):
        return None
    file = _read(file_of(ARM, name), ARM)
    if validated({ARM: {name: _values(file)}}).arm[name] != arm:
        return None
    return file.error(_line(file.root, [knob]), str(error))


def sources(group: str, choice: str) -> Iterator[Path]:
    """The file of a choice, and those that its defaults name; ConfigError if one of them is wrong."""
    file = _read(file_of(group, choice), group)
    yield file.path
    for default in _defaults(file) if group != ARM else ():
        if named := _named(file, default):
            yield from sources(named, default.choice)


def check_arms(arms: Sequence[str], defined: Iterable[str]) -> None:
    """ConfigError if the file of an arm is wrong; KnobError if it has none and is not among those defined."""
    for arm in set(arms).intersection(choices(ARM)):
        check(ARM, arm)
    require_arms(arms, {*choices(ARM), *defined})


def base_choices() -> dict[str, str]:
    """The choice that config.yaml makes of each group; ConfigError if config.yaml is wrong."""
    base = _read(groups.config_dir() / "config.yaml", "")
    chosen = {default.key: default.choice for default in _defaults(base)}
    return {group: chosen[group] for group in group_names() if chosen.get(group, "null") != "null"}


def _check(group: str, choice: str, begun: tuple[tuple[str, str], ...]) -> set[str]:
    file = _read(file_of(group, choice), group)
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
        raise file.error(_line(file.root, error.path), str(error)) from None
    return arms


def _read(path: Path, group: str) -> ConfigFile:
    """The file as YAML; ConfigError if it cannot be read, is none, or holds no knobs."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if not text.strip():
        raise ConfigError(f"{path}: empty; must hold knobs, as in 'rounds: 20', or a comment")
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}:{_line_of(error)}: {_said_by(error)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:{root.start_mark.line + 1}: must hold 'knob: value', not a {_kind(root)}")
    file = ConfigFile(path, group, text, root)
    try:
        _check_keys(file, root)
        _check_references(file, root)
    except RecursionError:
        raise ConfigError(f"{path}: an anchor (&) holds itself (*)") from None
    return file


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return "word"
    return "list" if isinstance(node, yaml.SequenceNode) else "mapping"


def _line_of(error: yaml.MarkedYAMLError) -> int:
    begun_before = error.context == "while scanning a simple key"
    mark = error.context_mark if begun_before else error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _said_by(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or str(error)
    plain = (said for part, said in YAML_PROBLEMS.items() if part in problem)
    return "not YAML: " + next(plain, " ".join(problem.split()))


def _check_keys(file: ConfigFile, node: yaml.Node | None) -> None:
    """Keys are words, without dots, each given once."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(file, item)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise file.error(line, f"a {_kind(key)} cannot be the name of a knob")
        if key.value in lines:
            raise file.error(line, f"{key.value}: given before, in line {lines[key.value]}")
        if re.fullmatch(r"\w+(\.\w+)+", key.value):
            outer, _, inner = key.value.partition(".")
            raise file.error(
                line, f"{key.value}: write '{outer}:', and '{inner}:' indented in the line below"
            )
        lines[key.value] = line
        _check_keys(file, value)


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
    values = {} if file.root is None else _values(file)
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
        raise file.error(_line(file.root, error.path[len(package) :]), str(error)) from None
    return values


def _check_groups(file: ConfigFile, values: Mapping[str, Any]) -> None:
    """A choice is made in `defaults`, not like a knob."""
    for group in group_names():
        if isinstance(choice := values.get(group), str):
            line = _line(file.root, [group])
            raise file.error(
                line,
                f"{group}: {choice}: a choice is made under 'defaults:', by '- override /{group}: {choice}'",
            )


def _values(file: ConfigFile) -> dict[str, Any]:
    """What a file holds, as Hydra reads it, without values that other knobs decide."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        values = OmegaConf.to_container(OmegaConf.create(file.text))
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"{file.path}: {' '.join(str(error).split())}") from None
    return _known(values)


def _known(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {key: _known(value) for key, value in values.items() if not _is_open(value)}


def _is_open(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and ("${" in part or part == "???") for part in parts)


def _line(node: yaml.Node | None, path: Any) -> int:
    """The line of the last of these keys that there is."""
    line = 1
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            break
        for name, value in node.value:
            if name.value == key:
                line, node = name.start_mark.line + 1, value
                break
    return line


class Default(NamedTuple):
    """One of the `defaults` of a file: the choice of a group, or of another file of its own group."""

    line: int
    key: str
    """the group as the file has it, with `override` and `/`; empty: its own"""
    choice: str


def _defaults(file: ConfigFile) -> Iterator[Default]:
    entries = (
        next((value for key, value in file.root.value if key.value == "defaults"), None)
        if file.root
        else None
    )
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
    if choice not in choices(group):
        raise file.error(line, f"{group}={choice}: unknown choice; {nearest(choice, choices(group))}")
    return group
