"""Conditions on runs, as in `--where 'dataset=mnist' --where 'kept<0.1' --where 'seed=1'`."""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from ltr.errors import ConfigError
from ltr.report.command_line import word

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


class Condition(NamedTuple):
    """That what a run says under `name` compares like this with `value`."""

    name: str
    compares: Callable[[Any, Any], bool]
    value: str | float

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Numbers compare as numbers, all else as words; what a run does not say never holds."""
        said = entry[self.name]
        if said is None:
            return False
        if isinstance(said, bool) or not isinstance(said, int | float):
            return self.compares(word(said), str(self.value))
        number = _number(self.value)
        return self.compares is operator.ne if number is None else self.compares(said, number)


def condition(
    text: str,
    words: Collection[str],
    numbers: Collection[str],
    fractions: Collection[str],
    check_knob: Callable[[str, str], None],
) -> Condition:
    """A condition on a column or a knob, from text; ConfigError where it is none.

    Args:
        text: as it was typed.
        words: names of columns of words.
        numbers: names of columns of numbers.
        fractions: those of the numbers that are shown in %: more than 1 means %, and so does `97%`.
        check_knob: raises ConfigError for what is no knob either, named after what was typed.
    """
    typed = f"--where={text}"
    found = re.fullmatch(r"\s*([\w.]+)\s*(!=|<=|>=|=|<|>)\s*([^=<>].*?)\s*", text)
    if found is None:
        raise ConfigError(f"{typed}: must be a comparison, as in dataset=mnist or kept<0.1")
    name, sign, value = found.groups()
    if name not in (*words, *numbers):
        check_knob(typed, name)
        return Condition(name, COMPARISONS[sign], value)
    if name in words:
        return Condition(name, COMPARISONS[sign], value)
    number = _fraction(value) if name in fractions else _number(value)
    if number is None:
        raise ConfigError(f"{typed}: {name} is a number, {value} is not")
    return Condition(name, COMPARISONS[sign], number)


def _fraction(text: str) -> float | None:
    """0.97, 97 and 97% are all 97 %; 1 is everything, 1% a hundredth."""
    number = _number(text.removesuffix("%").strip())
    if number is None:
        return None
    return number / 100 if text.endswith("%") or number > 1 else number


def _number(text: str | float) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
