"""Checks of names from registries and of the options of the named entries, without JAX."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ltr.config.literals import literal
from ltr.config.parse import Knob, KnobError, booleans_as_numbers, knobs, validated
from ltr.config.schema import Experiment, OptionsOf, to_dict
from ltr.config.walk import hints, marker, naming, registry_of
from ltr.registry import Entry
from ltr.registry.suggestions import nearest


def checked(values: Mapping[str, Any]) -> Experiment:
    """Return the experiment; KnobError if a knob is invalid or names an unknown entry."""
    experiment = validated(values)
    require_known(experiment)
    return experiment


def require_known(experiment: Experiment) -> None:
    """Raise KnobError for the first knob that names an unknown entry of its registry."""
    for knob, value, registry in naming(experiment):
        for name in value if isinstance(value, tuple) else [value]:
            if name not in registry:
                raise KnobError(knob.split("."), registry.unknown(name, knob))


def with_options(experiment: Experiment) -> Experiment:
    """Return the experiment with options parsed by their schemas, without options at their defaults.

    Raises:
        KnobError: the chosen entry has no such option, or a value is out of bounds.
    """
    groups = {
        name: _group(name, group)
        for name, group in vars(experiment).items()
        if dataclasses.is_dataclass(group)
    }
    return dataclasses.replace(experiment, **groups)


def _group(name: str, group: Any) -> Any:
    annotated = hints(group.__class__)
    for field, hint in annotated.items():
        if (options := marker(hint, OptionsOf)) and (given := getattr(group, field)):
            registry: Any = registry_of(annotated[options.knob])
            chosen = registry[getattr(group, options.knob)]
            read = _read(chosen, given, f"{name}.{field}", f"{name}.{options.knob}={chosen.name}")
            group = dataclasses.replace(group, **{field: read})
    return group


def _read(entry: Entry, given: Mapping[str, Any], prefix: str, choice: str) -> dict[str, Any]:
    """Return the given options that differ from their defaults, as plain data."""
    if entry.options is None:
        raise KnobError(prefix.split("."), f"{prefix}.{next(iter(given))}: {choice} has no options")
    known = {knob.name: knob for knob in knobs(entry.options, f"{prefix}.")}
    for name in (f"{prefix}.{option}" for option in given):
        if name not in known:
            raise KnobError(name.split("."), f"{name}: unknown option of {choice}; {nearest(name, known)}")
    try:
        read = TypeAdapter(entry.options).validate_python(dict(given))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise _refusal(known[f"{prefix}.{wrong['loc'][0]}"], wrong["input"]) from None
    for (option, *_), value in booleans_as_numbers(given, read):
        raise _refusal(known[f"{prefix}.{option}"], value)
    default = to_dict(entry.options())
    return {name: value for name, value in to_dict(read).items() if value != default[name]}


def _refusal(knob: Knob, value: Any) -> KnobError:
    return KnobError(knob.name.split("."), f"{knob.name}={literal(value)}: must be {knob.allowed}")
