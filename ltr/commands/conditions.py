"""Conditions on runs, as in `--where 'dataset=mnist' --where 'kept<0.1'`."""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

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
    """That what a run says under `name` compares like this with `value`."""

    name: str
    compares: Callable[[Any, Any], bool]
    value: str

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Numbers compare as numbers; what a run does not say never holds."""
        said = entry[self.name]
        if said is None:
            return False
        return self.compares(said, self.value if isinstance(said, str) else float(self.value))


def condition(text: str, words: Collection[str], numbers: Collection[str]) -> Condition:
    """A condition on one of these names, from text; ConfigError where it is none."""
    found = re.fullmatch(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*([^=<>].*?)\s*", text)
    if found is None:
        raise ConfigError(f"--where={text}: must be a comparison, as in dataset=mnist or kept<0.1")
    name, sign, value = found.groups()
    if name not in (*words, *numbers):
        raise ConfigError(f"--where={text}: {name} must be one of {', '.join((*words, *numbers))}")
    if name in numbers and not _is_number(value):
        raise ConfigError(f"--where={text}: {name} is a number, {value} is not")
    return Condition(name, COMPARISONS[sign], value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
