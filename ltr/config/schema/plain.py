"""Configurations as plain data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ltr.config.schema.duration import Duration


def to_dict(node: Any) -> Any:
    """Return a config dataclass as plain data for YAML and JSON, which `parse` accepts."""
    if node is None or isinstance(node, str | int | float):
        return node
    if isinstance(node, Duration):
        return node.amount if not node.unit else str(node)
    if dataclasses.is_dataclass(node):
        return {field.name: to_dict(getattr(node, field.name)) for field in dataclasses.fields(node)}
    if isinstance(node, Mapping):
        return {key: to_dict(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_dict(value) for value in node]
    return node
