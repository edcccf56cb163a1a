"""Parsing of values into an `Experiment`, the list of knobs, and messages for wrong values."""

import dataclasses
import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import annotated_types
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ltr.addresses import ALLOWED, is_allowed
from ltr.config.literals import literal
from ltr.config.schema import (
    Arm,
    AsTyped,
    Auto,
    Duration,
    Experiment,
    NameIn,
    OptionsOf,
    PartialDuration,
    to_dict,
)
from ltr.config.walk import hints, is_group, is_marked, marker, registry_of
from ltr.errors import ConfigError
from ltr.registry import Registry
from ltr.registry.suggestions import did_you_mean, near, nearest, spellings

AUTO = "auto"

MOST_REPLICATES = 30
"""Maximum number of replicates of `replicates=auto`, unless `claims.most` sets another."""


class KnobError(ConfigError):
    """A knob is wrong; `path` holds the keys that lead to it."""

    def __init__(self, path: Sequence[str], message: str) -> None:
        super().__init__(message)
        self.path = tuple(path)


def parse(values: Mapping[str, Any]) -> Experiment:
    """Return the validated experiment; KnobError names the first wrong knob and the allowed values."""
    return with_limited_rounds(validated(values))


def validated(values: Mapping[str, Any]) -> Experiment:
    """Return the experiment with each knob validated separately; KnobError if one is invalid."""
    try:
        return _validated(values)
    except ValidationError as error:
        raise _explained(error) from None


def _validated(values: Mapping[str, Any]) -> Experiment:
    """Return the experiment as `validated` does; ValidationError if a type or a bound is wrong."""
    given = _without_auto(values)
    experiment = _adapter().validate_python(given)
    for path, value in booleans_as_numbers(given, experiment):
        raise _refusal(path, value)
    if values.get("replicates") == AUTO and experiment.claims.most is not None:
        experiment = dataclasses.replace(experiment, replicates=experiment.claims.looks[0])
    for name in ("steps", "eval_every"):
        duration = getattr(experiment, name)
        if duration.amount == 0:
            raise _wrong(name, duration, "must be at least one step")
    for name in ("output_root", "data_dir"):
        if not is_allowed(place := getattr(experiment, name) or ""):
            raise _wrong(name, place, f"must be {ALLOWED}")
    if len(set(experiment.arms)) < len(experiment.arms):
        raise _wrong("arms", experiment.arms, "must name each arm once")
    if "ticket" not in experiment.arms:
        raise _wrong("arms", experiment.arms, "must contain ticket, which decides what is pruned")
    densities = experiment.pruning.densities
    if any(later >= earlier for earlier, later in itertools.pairwise(densities)):
        raise _wrong("pruning.densities", densities, "must fall from round to round")
    return experiment


@functools.cache
def _adapter() -> TypeAdapter[Experiment]:
    return TypeAdapter(Experiment)


def booleans_as_numbers(given: Any, read: Any) -> Iterator[tuple[list[str], bool]]:
    """Yield the booleans in plain data that pydantic read as numbers, as 1 for true, each after its path."""
    if isinstance(given, Mapping):
        for name, value in given.items():
            inner = read[name] if isinstance(read, Mapping) else getattr(read, name)
            yield from (([name, *path], found) for path, found in booleans_as_numbers(value, inner))
    elif isinstance(given, list | tuple):
        for value, item in zip(given, read, strict=True):
            yield from booleans_as_numbers(value, item)
    elif isinstance(given, bool) and not isinstance(read, bool):
        yield [], given


def require_arms(arms: Iterable[str], defined: Collection[str]) -> None:
    """Raise KnobError if an arm is not defined."""
    for arm in arms:
        if arm not in defined:
            raise KnobError(["arms"], f"arms: unknown arm {arm}; {nearest(arm, defined)}")


def _wrong(name: str, value: Any, must: str) -> KnobError:
    return KnobError(name.split("."), f"{name}={literal(value)}: {must}")


def _without_auto(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace `replicates=auto` by one replicate to begin with, and by `claims.most`."""
    claims = values.get("claims", {})
    if values.get("replicates") != AUTO:
        return values
    if not isinstance(claims, Mapping):
        return {**values, "replicates": 1}
    most = MOST_REPLICATES if claims.get("most") is None else claims["most"]
    return {**values, "replicates": 1, "claims": {**claims, "most": most}}


def with_limited_rounds(experiment: Experiment) -> Experiment:
    """Return the experiment with at most one round for each of `pruning.densities`, if they are set."""
    densities = experiment.pruning.densities
    if not densities:
        return experiment
    return dataclasses.replace(experiment, rounds=min(experiment.rounds, len(densities)))


class Knob(NamedTuple):
    """Documented setting: dotted name, default, meaning and allowed values."""

    name: str
    default: Any
    meaning: str
    hint: Any
    """annotated type"""
    entry: str = ""
    """choice it is specific to, as in `model.name=wide_resnet`"""

    @property
    def allowed(self) -> str:
        """Description of the allowed values."""
        return _allowed(self.hint)

    @property
    def registry(self) -> Registry[Any] | None:
        """Registry of the names that it takes."""
        return registry_of(self.hint)

    @property
    def choices(self) -> Sequence[str]:
        """Values that it accepts; empty if they cannot be listed."""
        return _choices(self.hint)


@functools.cache
def as_typed() -> Mapping[str, AsTyped]:
    """Return the marker of each knob whose value is literal, by name."""
    marks = ((knob.name, marker(knob.hint, AsTyped)) for knob in knobs() if not knob.entry)
    return {name: mark for name, mark in marks if mark}


def knobs(node: Any = Experiment, prefix: str = "") -> Iterator[Knob]:
    """Yield every knob below a config dataclass, in the order of its fields."""
    for knob in _fixed_knobs(node, prefix):
        yield from (knob,) if isinstance(knob, Knob) else _option_knobs(*knob)


class _Options(NamedTuple):
    """Place among the knobs for the options of a registry's entries."""

    chooser: str
    """knob that names the entry"""
    registry: Registry[Any] | None
    prefix: str
    """beginning of the names of the options"""


@functools.cache
def _fixed_knobs(node: Any, prefix: str) -> Sequence[Knob | _Options]:
    """Return what `knobs` yields, but for the options of entries, which plug-ins may add to."""
    return tuple(_found_knobs(node, prefix))


def _found_knobs(node: Any, prefix: str) -> Iterator[Knob | _Options]:
    annotated, defaults = hints(node), node()
    for field, hint in annotated.items():
        name = prefix + field
        if is_group(hint):
            yield from _fixed_knobs(hint, f"{name}.")
        elif name == "arm":
            yield from _fixed_knobs(Arm, "arm.NAME.")
        elif options := marker(hint, OptionsOf):
            yield _Options(prefix + options.knob, registry_of(annotated[options.knob]), f"{name}.")
        else:
            meaning = next(extra.description for extra in get_args(hint) if isinstance(extra, FieldInfo))
            yield Knob(name, to_dict(getattr(defaults, field)), str(meaning), hint)


def _option_knobs(chooser: str, registry: Registry[Any] | None, prefix: str) -> Iterator[Knob]:
    """Yield the options of every entry of a registry (see `_Options`)."""
    for entry in (registry or {}).values():
        for knob in knobs(entry.options, prefix) if entry.options else ():
            choice = f"{chooser}={entry.name}"
            yield knob._replace(meaning=f"{knob.meaning} ({choice} only)", entry=choice)


def generic(name: str) -> str:
    """Return the name by which `knobs` lists a knob: arm.NAME.draws for arm.ticket.draws."""
    group, *inner = name.split(".")
    return ".".join([group, "NAME", *inner[1:]]) if group == "arm" and inner else name


OTHER_NAMES = {
    "arch": "model",
    "bs": "batch_size",
    "data": "dataset",
    "gpus": "devices",
    "levels": "rounds",
    "lr": "optimizer.learning_rate",
    "max_steps": "steps",
    "network": "model",
    "output_dir": "output_root",
    "repeats": "replicates",
    "seeds": "seed",
    "wd": "optimizer.weight_decay",
}
"""Names of knobs and groups in other programs."""


def nearest_knob(name: str, known: Iterable[str], value: str = "") -> str:
    """Return a message that suggests a knob; for a number of epochs, `steps` with that value."""
    last = name.rpartition(".")[2].casefold().replace("-", "_")
    if last in ("epoch", "epochs"):
        return f"did you mean steps={value if value.isdecimal() else 20}ep?"
    meant = [OTHER_NAMES[last]] if last in OTHER_NAMES else near(name, known)
    return did_you_mean(meant) or "ltr run --help lists the knobs"


_SIGNS = {
    annotated_types.Gt: (">", "gt"),
    annotated_types.Ge: (">=", "ge"),
    annotated_types.Lt: ("<", "lt"),
    annotated_types.Le: ("<=", "le"),
}


def _choices(hint: Any) -> Sequence[str]:
    kind = get_args(hint)[0]
    if named := marker(hint, NameIn):
        return tuple(named.registry)
    if kind is bool:
        return ("true", "false")
    literals = [inner for inner in (kind, *get_args(kind)) if get_origin(inner) is Literal]
    words = [word for inner in literals for word in get_args(inner)]
    return (*words, "null") if words and type(None) in get_args(kind) else words


def _allowed(hint: Any) -> str:
    kind, *extras = get_args(hint)
    bounds = [
        f"{_SIGNS[type(bound)][0]} {getattr(bound, _SIGNS[type(bound)][1])}"
        for extra in extras
        if isinstance(extra, FieldInfo)
        for bound in extra.metadata
        if type(bound) in _SIGNS
    ]
    null = "or null" if type(None) in get_args(kind) else ""
    auto = "or auto" if is_marked(hint, Auto) else ""
    named = marker(hint, NameIn)
    of_kind = "one of " + ", ".join(named.registry) if named else _kind(kind)
    return " ".join(part for part in (of_kind, " and ".join(bounds), null, auto) if part)


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {_kind(get_args(kind)[0])}"
    if get_origin(kind) is Annotated:
        return _allowed(kind)
    if type(None) in get_args(kind):
        return _kind(get_args(kind)[0])
    return {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a word",
        Duration: "steps or epochs, as in 50000 or 20ep",
        PartialDuration: "steps, epochs or a share, as in 500, 2ep or 10%",
    }[kind]


def _explained(error: ValidationError) -> KnobError:
    first = error.errors()[0]
    return _refusal([str(part) for part in first["loc"]], first["input"])


def _refusal(path: Sequence[str], value: Any) -> KnobError:
    """Return the error of a value that the knob at a path refuses."""
    by_name = {knob.name: knob for knob in knobs()}
    for length in range(len(path), 0, -1):
        knob = by_name.get(generic(".".join(path[:length])))
        if knob is not None:
            name, text = ".".join(path[:length]), literal(value)
            if knob.registry is not None and isinstance(value, str) and value not in knob.registry:
                return KnobError(path, knob.registry.unknown(value, name))
            meant = _meant(path[:length], value) if length == len(path) else None
            hint = f"; did you mean {name}={meant}?" if meant else ""
            return KnobError(path, f"{name}={text}: must be {knob.allowed}{hint}")
    full_name = ".".join(path)
    if inside := [name for name in by_name if name.startswith(f"{generic(full_name)}.")]:
        return KnobError(path, f"{full_name}={literal(value)}: holds knobs, such as {inside[0]}")
    return KnobError(path, f"{full_name}: unknown knob; {nearest_knob(full_name, by_name)}")


def _meant(path: Sequence[str], value: Any) -> str | None:
    """Return another spelling of the value that the knob at this path accepts; None if there is none."""
    typed = literal(value)
    with_ticket = [f"[ticket,{value}]"] if path == ["arms"] and isinstance(value, str) else []
    joined = ["".join(typed.strip("'\"").split())]
    texts = (text for text in [*joined, *spellings(typed), *with_ticket] if text != typed)
    return next((text for text in texts if _accepts(path, text)), None)


def _accepts(path: Sequence[str], text: str) -> bool:
    value: Any = [part.strip() for part in text[1:-1].split(",")] if text.startswith("[") else text
    for name in reversed(path):
        value = {name: value}
    try:
        _validated(value)
    except (ValidationError, KnobError):
        return False
    return True
