"""Knobs in words: made an `Experiment`, listed for help, and named where they are wrong."""

import dataclasses
import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import annotated_types
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ltr.config import Arm, Auto, Duration, Experiment, to_dict
from ltr.errors import ConfigError

AUTO = "auto"

MOST_REPLICATES = 30
"""That `replicates=auto` ends with, if `claims.most` does not say otherwise."""


def parse(values: Mapping[str, Any]) -> Experiment:
    """The validated experiment; ConfigError names the first knob that is wrong and what is allowed."""
    try:
        experiment = TypeAdapter(Experiment).validate_python(_without_auto(values))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    if values.get("replicates") == AUTO and experiment.claims.most is not None:
        experiment = dataclasses.replace(experiment, replicates=experiment.claims.looks[0])
    for name in ("steps", "eval_every"):
        duration = getattr(experiment, name)
        if duration.amount == 0:
            raise ConfigError(f"{name}={duration}: must be at least one step")
    if len(set(experiment.arms)) < len(experiment.arms):
        raise ConfigError(f"arms={_literal(experiment.arms)}: must name each arm once")
    if "ticket" not in experiment.arms:
        raise ConfigError(
            f"arms={_literal(experiment.arms)}: must contain ticket, which decides what is pruned"
        )
    return by_densities(experiment)


def _without_auto(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`replicates=auto` as what it stands for: a first look, and further ones."""
    if values.get("replicates") != AUTO:
        return values
    claims = values.get("claims", {})
    most = MOST_REPLICATES if claims.get("most") is None else claims["most"]
    return {**values, "replicates": 1, "claims": {**claims, "most": most}}


def by_densities(experiment: Experiment) -> Experiment:
    """The experiment with no more rounds than it has densities, if it has any."""
    densities = experiment.pruning.densities
    if any(later >= earlier for earlier, later in itertools.pairwise(densities)):
        raise ConfigError(f"pruning.densities={_literal(densities)}: must fall from round to round")
    if not densities:
        return experiment
    if experiment.pruning.scope == "layerwise":
        raise ConfigError(
            f"pruning.densities={_literal(densities)}: needs pruning=global, uniform or erk; "
            "layerwise has a rate for each layer"
        )
    return dataclasses.replace(experiment, rounds=min(experiment.rounds, len(densities)))


class Knob(NamedTuple):
    """One documented setting: its dotted name, default, meaning, and what it may be."""

    name: str
    default: Any
    meaning: str
    allowed: str


def knobs(node: Any = Experiment, prefix: str = "") -> Iterator[Knob]:
    """Every knob below a config dataclass, in the order of its fields."""
    hints = get_type_hints(node, include_extras=True)
    for field in dataclasses.fields(node):
        hint, name = hints[field.name], prefix + field.name
        if dataclasses.is_dataclass(hint):
            yield from knobs(hint, f"{name}.")
        elif name == "arm":
            yield from knobs(Arm, "arm.NAME.")
        else:
            default = getattr(node(), field.name)
            _, *extras = get_args(hint)
            meaning = next(extra.description for extra in extras if isinstance(extra, FieldInfo))
            yield Knob(name, to_dict(default), str(meaning), _allowed(hint))


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably begun or mistyped, by its whole name or its last part; else everything there is."""
    known = sorted(known)
    by_last_part = {name.rpartition(".")[2]: name for name in known}
    names = by_last_part | {name: name for name in known}
    begun = [name for name in names if word and name.startswith(word)]
    close = begun or difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {names[close[0]]}?" if close else "known: " + ", ".join(known)


_SIGNS = {
    annotated_types.Gt: (">", "gt"),
    annotated_types.Ge: (">=", "ge"),
    annotated_types.Lt: ("<", "lt"),
    annotated_types.Le: ("<=", "le"),
}


def _allowed(hint: Any) -> str:
    kind, *extras = get_args(hint)
    bounds = [
        f"{_SIGNS[type(bound)][0]} {getattr(bound, _SIGNS[type(bound)][1])}"
        for extra in extras
        if isinstance(extra, FieldInfo)
        for bound in extra.metadata
        if type(bound) in _SIGNS
    ]
    auto = "or auto" if any(isinstance(extra, Auto) for extra in extras) else ""
    return " ".join(part for part in (_kind(kind), " and ".join(bounds), auto) if part)


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {_kind(get_args(kind)[0])}"
    if get_origin(kind) is Annotated:
        return _allowed(kind)
    if type(None) in get_args(kind):
        return f"{_kind(get_args(kind)[0])} or null"
    return {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a word",
        Duration: "steps or epochs, as in 50000 or 20ep",
    }[kind]


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    by_name = {knob.name: knob for knob in knobs()}
    if path[0] == "arm":
        path[1:2] = ["NAME"]
    for length in range(len(path), 0, -1):
        knob = by_name.get(".".join(path[:length]))
        if knob is not None:
            said = ".".join(map(str, first["loc"][:length]))
            return f"{said}={_literal(first['input'])}: must be {knob.allowed}"
    return f"{'.'.join(path)}: unknown knob; {nearest('.'.join(path), by_name)}"


def _literal(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
