"""Command lines drawn from the schema and the registries, so that a new knob or entry is drawn too."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from ltr.config.groups import ARM, choices, group_names
from ltr.config.keywords import words
from ltr.config.parse import Knob, knobs
from ltr.config.schema import Duration, PartialDuration
from ltr.config.walk import registry_of

Words = Sequence[str]
Values = st.SearchStrategy[Any]

MADE_UP = "made_up"
"""Name of an arm that a command line may define."""

OF_THE_PLACE = {"output_root", "data_dir", "dataset.path", "ticket", "tracker"}
"""Knobs that name a file, a run or a service, which tests set themselves."""

ODD = (
    "",
    "null",
    "abc",
    "-1",
    "0",
    "1e-300",
    "1e300",
    "nan",
    "inf",
    "true",
    "[]",
    "[1,x]",
    "{a:1}",
    "7,8",
    "5 ep",
)
"""Values of another type, or at the end of what numbers can be."""


def _bounds(extras: Sequence[Any]) -> Mapping[str, float]:
    """The bounds of an annotated type, by the names that pydantic has for them."""
    marks = [mark for extra in extras if isinstance(extra, FieldInfo) for mark in extra.metadata]
    names = ("gt", "ge", "lt", "le")
    return {name: getattr(mark, name) for mark in marks for name in names if hasattr(mark, name)}


def values(hint: Any) -> Values:
    """Values that an annotated type accepts, small ones where it has no upper bound."""
    if get_origin(hint) is not Annotated:
        return _of_kind(hint, {})
    if get_origin(get_args(hint)[0]) is not tuple and (registry := registry_of(hint)):
        return st.sampled_from([*registry])
    return _of_kind(get_args(hint)[0], _bounds(get_args(hint)[1:]))


def _of_kind(kind: Any, bounds: Mapping[str, float]) -> Values:
    low, high = (bounds.get(old, bounds.get(new)) for old, new in (("gt", "ge"), ("lt", "le")))
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        return st.lists(values(get_args(kind)[0]), min_size=1, max_size=3)
    if type(None) in get_args(kind):
        return st.none() | _of_kind(get_args(kind)[0], bounds)
    if kind is bool:
        return st.booleans()
    if kind is int:
        first = int(low or 0)
        return st.integers(first, first + 5 if high is None else int(high) - 1)
    if kind is float:
        return st.floats(
            low, 2.0 if high is None else high, exclude_min="gt" in bounds, exclude_max="lt" in bounds
        ).map(lambda number: round(number, 3) or number)
    if kind is Duration:
        return st.builds(Duration, st.integers(0, 40), st.sampled_from(["", "ep"])).map(str)
    if kind is PartialDuration:
        return st.builds(PartialDuration, st.integers(1, 40), st.sampled_from(["", "ep", "%"])).map(str)
    return st.sampled_from(["abc", "last"])


def word(knob: Knob) -> st.SearchStrategy[list[str]]:
    """A word for a knob, and for an option one more that chooses its entry."""
    name = knob.name.replace("NAME", MADE_UP)
    drawn = (
        st.lists(st.sampled_from([*choices(ARM), MADE_UP]), max_size=3, unique=True)
        if name == "arms"
        else None
    )
    given = (
        values(knob.hint) if drawn is None else drawn.map(lambda arms: [*dict.fromkeys(["ticket", *arms])])
    )
    prefix = "++" if name.startswith(f"{ARM}.") else ""
    chosen = [knob.entry] if knob.entry else []
    return given.map(lambda value: [*chosen, *words([], {f"{prefix}{name}": value})])


def odd_word(knob: Knob) -> st.SearchStrategy[list[str]]:
    """A word for a knob that it may refuse."""
    return st.sampled_from(ODD).map(lambda value: [f"{knob.name.replace('NAME', 'ticket')}={value}"])


def choice() -> st.SearchStrategy[list[str]]:
    """A word that chooses a file of a group."""
    pairs = [f"{group}={name}" for group in group_names() for name in choices(group)]
    return st.sampled_from(pairs).map(lambda pair: [pair])


def own_knobs() -> list[Knob]:
    """The knobs that are drawn."""
    return [knob for knob in knobs() if knob.name not in OF_THE_PLACE]


def command_lines(odd: bool = True) -> st.SearchStrategy[list[str]]:
    """Up to six words, each of another knob or group."""
    drawn = st.sampled_from(own_knobs())
    one = st.one_of(
        choice(), drawn.flatmap(word), drawn.flatmap(word), *([drawn.flatmap(odd_word)] if odd else [])
    )
    return st.lists(one, min_size=1, max_size=6).map(_once)


SMALL = (
    "dataset=digits",
    "model=lenet_300_100",
    "dataset.validation=60",
    "steps=6",
    "eval_every=2",
    "replicates=1",
)
"""Words of runs that take a second or two, whatever else is chosen."""

OF_SIZE = {
    "rounds",
    "dataset.name",
    "model.name",
    "model.width",
    "batch_size",
    "lanes_per_device",
    "devices",
    "checkpoint_every",
}
"""Knobs that decide, beside those of `SMALL`, how long a run takes."""


def small_runs() -> st.SearchStrategy[list[str]]:
    """Up to five words that change a small run, with its size."""
    fixed = {text.partition("=")[0] for text in SMALL} | OF_SIZE
    free = [
        knob
        for knob in own_knobs()
        if knob.name not in fixed and not knob.name.endswith(".draws") and not knob.entry.startswith("model.")
    ]
    drawn = st.lists(st.sampled_from(free).flatmap(word), max_size=5).map(_once)
    size = st.tuples(st.integers(0, 2), st.sampled_from([0.05, 0.1]), st.sampled_from([30, 60]))
    return st.builds(
        lambda words, sizes: [
            *SMALL,
            *(
                f"{name}={value}"
                for name, value in zip(("rounds", "model.width", "batch_size"), sizes, strict=True)
            ),
            *words,
        ],
        drawn,
        size,
    )


def _once(drawn: Sequence[Sequence[str]]) -> list[str]:
    """The words, the last of each key: Hydra takes a choice of a group once."""
    return [*{text.partition("=")[0].lstrip("+"): text for texts in drawn for text in texts}.values()]
