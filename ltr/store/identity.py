"""Run id: a hash of the configuration.

The id is the first 10 hex digits of the SHA-256 of the canonical configuration. This leaves out knobs at
their defaults, so a new knob changes no id, and knobs that extend a run or cannot change a result
(`ltr.config.schema.NotInRunId`).
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from ltr.addresses import local
from ltr.config.schema import Experiment, NotInRunId, to_dict
from ltr.config.walk import by_name, hints, is_group, is_marked


def canonical(node: Any) -> dict[str, Any]:
    """Return the knobs that are not at their defaults, and every `name`, nested as plain data."""
    annotated = hints(node.__class__)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if is_group(annotated[field.name]):
            if inner := canonical(value):
                values[field.name] = inner
        elif not is_marked(annotated[field.name], NotInRunId) and (
            field.name == "name" or value != _default(field)
        ):
            values[field.name] = to_dict(value)
    return values


def decisive(experiment: Experiment) -> dict[str, Any]:
    """Return every knob that can change a result, by dotted name, as plain data.

    The definitions of the arms are included, although they are not part of the run id.
    """
    return {name: value for name, value, hint in by_name(experiment) if not is_marked(hint, NotInRunId)}


def run_id(experiment: Experiment) -> str:
    """Return the run id of a configuration, ten hex digits."""
    text = json.dumps(canonical(experiment), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def folder_name(experiment: Experiment) -> str:
    """Return the name of the run folder, `<dataset>-<model>-<id>`."""
    return f"{experiment.dataset.name}-{experiment.model.name}-{run_id(experiment)}"


def run_folder(experiment: Experiment) -> Path:
    """Return the path of the run folder; that of its working copy if it is in a bucket."""
    return local(experiment.output_root) / folder_name(experiment)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
