"""JSON and YAML files that begin with a checksum: the SHA-256 of their text with zeros in its place.

A damaged word could still be a valid one, such as another learning rate. Files of earlier versions have no
checksum and are read without this check.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

KEY = "checksum"

_ZEROS = "0" * 64
_CHECKSUM = re.compile(rf'\A(?:{{\n  "|# ){KEY}"?: "?([0-9a-f]{{64}})'.encode())


def to_json(values: Mapping[str, Any]) -> bytes:
    """Return values as JSON with a checksum."""
    return _sealed(json.dumps({KEY: _ZEROS, **values}, indent=2).encode() + b"\n")


def from_json(content: bytes) -> Any:
    """Return the values of a JSON file, without its checksum; ValueError if it is damaged."""
    values = _parsed(unsealed(content))
    if isinstance(values, dict):
        values.pop(KEY, None)
    return values


def has_checksum(content: bytes) -> bool:
    """Return whether a file carries a checksum; those of earlier versions carry none."""
    return _CHECKSUM.match(content) is not None


def to_yaml(values: Mapping[str, Any]) -> bytes:
    """Return values as YAML with a checksum."""
    import yaml  # is slow to import, and lists of runs read no YAML

    return _sealed(f"# {KEY}: {_ZEROS}\n{yaml.safe_dump(values, sort_keys=False)}".encode())


def from_yaml(content: bytes) -> Any:
    """Return the values of a YAML file; ValueError if it is damaged."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # by libyaml it takes an eighth of the time
    try:
        return yaml.load(unsealed(content), loader)  # noqa: S506, both are safe
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def unsealed(content: bytes) -> bytes:
    """Return the content; ValueError if it has a checksum that does not match."""
    if (found := _CHECKSUM.match(content)) is not None:
        start, stop = found.span(1)
        if found[1] != _digest(content[:start] + _ZEROS.encode() + content[stop:]):
            raise ValueError("other text than was written")
    return content


def _parsed(content: bytes) -> Any:
    """Parse JSON in half the time that `json` takes, which counts in long lists of runs."""
    from pydantic_core import from_json

    try:
        return from_json(content)
    except ValueError:
        if b"\\ud" not in content:  # half a surrogate pair, by which Python spells a byte that is not UTF-8
            raise
        return json.loads(content)


def _sealed(content: bytes) -> bytes:
    """Return the content with its checksum in the place of zeros."""
    return content.replace(_ZEROS.encode(), _digest(content), 1)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
