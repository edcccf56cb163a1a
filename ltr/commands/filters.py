"""Conditions on runs, such as `--where 'dataset=mnist' --where 'kept<0.1' --where 'seed=1'`."""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from ltr.config.literals import literal
from ltr.errors import ConfigError

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


class Condition(NamedTuple):
    """Comparison of a run's column or knob `name` with `value`."""

    name: str
    compares: Callable[[Any, Any], bool]
    value: str | float

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Return whether the condition holds. Only numbers compare as numbers; None equals `null` alone."""
        actual = entry[self.name]
        if actual is None:
            return self.value == "null" and self.compares is operator.eq
        if isinstance(actual, bool) or not isinstance(actual, int | float):
            return self.compares(literal(actual), str(self.value))
        number = _number(self.value)
        return self.compares is operator.ne if number is None else self.compares(actual, number)


def condition(
    text: str,
    words: Collection[str],
    numbers: Collection[str],
    fractions: Collection[str],
    check_knob: Callable[[str, str], None],
) -> Condition:
    """Parse a condition on a column or a knob; ConfigError if it is malformed.

    Args:
        text: condition as typed.
        words: columns of words.
        numbers: columns of numbers.
        fractions: columns of `numbers` that are shown in %; a value above 1, or such as `97%`, is in %.
        check_knob: called with the option as typed and a name; raises ConfigError for an unknown knob.
    """
    typed = f"--where={text}"
    match = re.fullmatch(r"\s*([\w.]+)\s*(!=|<=|>=|=|<|>)\s*([^=<>].*?)\s*", text)
    if match is None:
        raise ConfigError(f"{typed}: must be a comparison, as in dataset=mnist or kept<0.1")
    name, comparison, value = match.groups()
    if name not in (*words, *numbers):
        check_knob(typed, name)
        return Condition(name, COMPARISONS[comparison], value)
    if name in words:
        return Condition(name, COMPARISONS[comparison], value)
    number = _fraction(value) if name in fractions else _number(value)
    if number is None:
        raise ConfigError(f"{typed}: {name} is a number, {value} is not")
    return Condition(name, COMPARISONS[comparison], number)


def _fraction(text: str) -> float | None:
    """Return a fraction: 0.97, 97 and 97% are all 0.97; 1 is 1.0 and 1% is 0.01."""
    number = _number(text.removesuffix("%").strip())
    if number is None:
        return None
    return number / 100 if text.endswith("%") or number > 1 else number


def _number(text: str | float) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
