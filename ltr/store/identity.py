"""What a run is called: by what it is.

The id is the first 10 hex digits of the SHA-256 of the canonical configuration. Defaults are left
out, so that a new knob at its default changes no id; so is what extends a run or cannot change a
result (`ltr.config.schema.NotInRunId`).
"""

import dataclasses
import hashlib
import json
from typing import Any, get_type_hints

from ltr.config.schema import Experiment, NotInRunId, to_dict
from ltr.config.walk import by_name, is_marked


def canonical(node: Any) -> dict[str, Any]:
    """What a configuration says beyond the defaults, `name`s always, as plain data."""
    hints = get_type_hints(type(node), include_extras=True)
    said: dict[str, Any] = {}
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            if inner := canonical(value):
                said[field.name] = inner
        elif not is_marked(hints[field.name], NotInRunId) and (
            field.name == "name" or value != _default(field)
        ):
            said[field.name] = to_dict(value)
    return said


def decisive(experiment: Experiment) -> dict[str, Any]:
    """Every knob that can change a result, by its dotted name, as plain data.

    Of the arms, which are no part of the identity, what each of them is.
    """
    return {name: value for name, value, hint in by_name(experiment) if not is_marked(hint, NotInRunId)}


def run_id(experiment: Experiment) -> str:
    """Ten hex digits that name the run of a configuration."""
    text = json.dumps(canonical(experiment), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def folder_name(experiment: Experiment) -> str:
    """`<dataset>-<model>-<id>`."""
    return f"{experiment.dataset.name}-{experiment.model.name}-{run_id(experiment)}"


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
