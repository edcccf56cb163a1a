"""YAML files of knobs, read with the line of every key for errors that name file and line.

PyYAML and OmegaConf answer a mistake with a traceback, or with a message that names neither.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ltr.errors import ConfigError

PROBLEMS = {
    "\\t": "indented with a tab; YAML allows only spaces",
    "expected <block end>": "indented unlike the lines above it",
    "mapping values are not allowed": "a second ': ', or indented more than the line above it",
    "could not find expected ':'": "has no ': ' between a knob and its value",
}
"""Messages of PyYAML, each with its most frequent cause."""

FLOAT = re.compile(
    r"""^(?:[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
           |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
           |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
           |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
           |[-+]?\.(?:inf|Inf|INF)
           |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
"""Floating-point numbers as OmegaConf reads them: 1e-3 is a number, though text in YAML 1.1."""


class ConfigFile(NamedTuple):
    """YAML file of a config group."""

    path: Path
    group: str
    text: str
    root: yaml.MappingNode | None
    """None if the file holds only comments"""

    def error(self, line: int, message: str) -> ConfigError:
        """Return an error that names the file and a line, counted from 1."""
        return ConfigError(f"{self.path}:{line}: {message}")

    def line(self, keys: Iterable[Any]) -> int:
        """Return the line of the deepest of these nested keys that exists, counted from 1."""
        line, node = 1, self.root
        for key in keys:
            if not isinstance(node, yaml.MappingNode):
                break
            for name, value in node.value:
                if name.value == key:
                    line, node = name.start_mark.line + 1, value
                    break
        return line

    def node(self, key: str) -> yaml.Node | None:
        """Return the PyYAML node of a top-level key; None if there is no such key."""
        pairs = self.root.value if self.root else ()
        return next((value for name, value in pairs if name.value == key), None)

    def values(self) -> dict[str, Any]:
        """Return the knobs as plain data, with the values that OmegaConf reads."""
        if self.root is None:
            return {}
        loader = _FastLoader("")
        try:
            return dict(loader.construct_document(self.root))
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"{self.path}: {' '.join(str(error).split())}") from None
        finally:
            loader.dispose()


def read(path: Path, group: str = "") -> ConfigFile:
    """Read a YAML file; ConfigError if it cannot be read, is not YAML, or holds no knobs."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if not text.strip():
        raise ConfigError(f"{path}: empty; must hold knobs, as in 'rounds: 20', or a comment")
    return _parsed(path, group, text)


@functools.lru_cache(maxsize=512)
def _parsed(path: Path, group: str, text: str) -> ConfigFile:
    """Parse the text of a file, once while it stays as it is."""
    root = _composed(path, text)
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:{root.start_mark.line + 1}: must hold 'knob: value', not a {_kind(root)}")
    file = ConfigFile(path, group, text, root)
    try:
        _check_keys(file, root)
    except RecursionError:
        raise ConfigError(f"{path}: an anchor (&) holds itself (*)") from None
    return file


def _as_omegaconf(loader: type[Any]) -> type[Any]:
    """Return a PyYAML loader that reads numbers as OmegaConf does, and no dates."""
    name = f"OmegaConf{loader.__name__}"
    subclass: Any = type(name, (loader,), {})
    subclass.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))
    subclass.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in subclass.yaml_implicit_resolvers.items()
    }
    return subclass


_Loader = _as_omegaconf(yaml.SafeLoader)
_FastLoader = _as_omegaconf(
    getattr(yaml, "CSafeLoader", yaml.SafeLoader)
)  # libyaml's, if PyYAML was built with it


def _composed(path: Path, text: str) -> yaml.Node | None:
    """Compose the document by libyaml; on an error, by PyYAML, for the same messages on every machine."""
    try:
        return yaml.compose(text, _FastLoader)
    except yaml.YAMLError:
        pass
    try:
        return yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}:{_line_of(error)}: {_message(error)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return "word"
    return "list" if isinstance(node, yaml.SequenceNode) else "mapping"


def _line_of(error: yaml.MarkedYAMLError) -> int:
    began_before = error.context == "while scanning a simple key"
    mark = error.context_mark if began_before else error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _message(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or str(error)
    plain = (message for part, message in PROBLEMS.items() if part in problem)
    return "not YAML: " + next(plain, " ".join(problem.split()))


def _check_keys(file: ConfigFile, node: yaml.Node | None, are_hydras: bool = False) -> None:
    """Require that keys are scalars, without dots unless `are_hydras`, and none is repeated."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(file, item, are_hydras)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise file.error(line, f"a {_kind(key)} cannot be the name of a knob")
        if key.value in lines:
            raise file.error(line, f"{key.value}: repeated; first in line {lines[key.value]}")
        outer, _, inner = key.value.partition(".")
        if all(part.isidentifier() for part in key.value.split(".")) and inner and not are_hydras:
            raise file.error(
                line, f"{key.value}: write '{outer}:', and '{inner}:' indented in the line below"
            )
        lines[key.value] = line
        _check_keys(file, value, are_hydras or key.value == "hydra")
