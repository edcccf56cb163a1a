"""Search space: knobs with several values, in Hydra's syntax of sweeps, and the words of a choice."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ltr.config.overrides import overrides, typed_word
from ltr.config.parse import knobs
from ltr.config.schema import Experiment, NotInRunId
from ltr.config.walk import by_name, is_marked
from ltr.config.words import Word
from ltr.errors import ConfigError

DIGITS = 4
"""Significant digits of the numbers chosen from an interval, so that words and run ids can be read."""

RANGE_DIGITS = 12
"""Significant digits of the numbers of a range, whose sums have errors of rounding."""

UNSEARCHED = {
    "seed": "one seed that does well says nothing of the next",
    "dataset": "accuracies on different data cannot be compared",
}
"""Knobs and groups that cannot be searched, with the reasons."""

WHOLE = ("a whole number", "steps or epochs")
"""Beginnings of the descriptions of what knobs of whole numbers accept."""

EXAMPLE = "'optimizer.learning_rate=tag(log,interval(1e-4,1e-2))'"


class Space(NamedTuple):
    """Search space.

    Attributes:
        fixed: words of one value, as overrides for Hydra.
        searched: words of several values, likewise.
        knobs: values of each searched knob, by the part of its word before `=`.
    """

    fixed: list[str]
    searched: list[str]
    knobs: dict[str, BaseDistribution]

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return the overrides that choose a value for each searched knob."""
        return [f"{key}={literal(values[key], self.knobs[key])}" for key in self.knobs]

    def examples(self) -> Iterator[dict[str, Any]]:
        """Yield choices that have every listed value, and the ends and a value inside of every interval."""
        of_each = {key: _examples(distribution) for key, distribution in self.knobs.items()}
        first = {key: values[0] for key, values in of_each.items()}
        yield first
        yield from (first | {key: value} for key, values in of_each.items() for value in values[1:])


def parse(texts: Sequence[str]) -> Space:
    """Return the search space of words as typed; ConfigError if one is wrong, or none has several values."""
    space = Space([], [], {})
    for word in overrides(texts, sweep=True):
        override = OverridesParser.create().parse_override(word)
        if Word.split(word).is_for_hydra:
            raise ConfigError(f"{word}: ltr tune has no launcher and no sweeper of Hydra's; leave it out")
        if override.is_sweep_override():
            _require_searchable(word, override.key_or_group)
            space.searched.append(word)
            space.knobs[word.partition("=")[0]] = _distribution(word, override)
        else:
            space.fixed.append(word)
    if not space.knobs:
        raise ConfigError(f"no knob has several values; give one some, as in {EXAMPLE} or prune_rate=0.1,0.2")
    return space


def literal(value: Any, distribution: BaseDistribution) -> str:
    """Return a value as on the command line."""
    if not isinstance(distribution, FloatDistribution):
        return str(value)
    rounded = _rounded(value, DIGITS if distribution.step is None else RANGE_DIGITS)
    return repr(min(max(rounded, distribution.low), distribution.high))


def _require_searchable(word: str, key: str) -> None:
    """Raise ConfigError for a knob that changes no result, or whose results cannot be compared."""
    typed = typed_word(word)
    if reason := UNSEARCHED.get(key.partition(".")[0]):
        raise ConfigError(f"{typed}: {key} cannot be searched, as {reason}")
    if any(name == key and is_marked(hint, NotInRunId) for name, _, hint in by_name(Experiment())):
        raise ConfigError(f"{typed}: {key} cannot be searched, as it does not change a training")


def _distribution(word: str, override: Override) -> BaseDistribution:
    """Return the values of a searched knob; ConfigError if there are none, or Hydra's tags are unknown."""
    match override.value():
        case IntervalSweep() as interval:
            _require_accepted(word, override.key_or_group, interval)
            return _interval(word, interval)
        case RangeSweep() as values:
            return _range(word, values, [*override.sweep_iterator()])
        case ChoiceSweep() as choice:
            _require_tags(word, choice.tags, ())
            return CategoricalDistribution(_distinct(word, [*override.sweep_string_iterator()]))
    raise ConfigError(f"{word}: list the choices, as in choice(a,b)")


def _require_accepted(word: str, key: str, interval: IntervalSweep) -> None:
    """Raise ConfigError for an interval of fractions of a knob that accepts whole numbers only."""
    if isinstance(interval.start, int):
        return
    if any(knob.name == key and knob.allowed.startswith(WHOLE) for knob in knobs()):
        _, _, values = word.partition("=")
        raise ConfigError(f"{typed_word(word)}: {key} takes whole numbers; type '{key}=int({values})'")


def _distinct(word: str, choices: Sequence[str]) -> Sequence[str]:
    """Return the choices; ConfigError if one is listed twice."""
    if repeated := next((choice for choice in choices if choices.count(choice) > 1), None):
        raise ConfigError(f"{typed_word(word)}: {repeated} is listed twice; list each choice once")
    return choices


def _interval(word: str, interval: IntervalSweep) -> BaseDistribution:
    _require_tags(word, interval.tags, ("log",))
    low, high, is_log = interval.start, interval.end, "log" in interval.tags
    if low is None or high is None or not low < high:
        raise ConfigError(f"{word}: the first number must be below the second, as in interval(1e-4,1e-2)")
    if is_log and low <= 0:
        raise ConfigError(f"{word}: with the tag log, both numbers must be above 0")
    kind = IntDistribution if isinstance(low, int) and isinstance(high, int) else FloatDistribution
    return kind(low, high, log=is_log)  # type: ignore[arg-type]


def _range(word: str, values: RangeSweep, each: Sequence[Any]) -> BaseDistribution:
    _require_tags(word, values.tags, ())
    if len(each) < 2:
        raise ConfigError(f"{word}: needs at least two values, as in range(1,4), which is 1,2,3")
    kind = IntDistribution if all(isinstance(value, int) for value in each) else FloatDistribution
    low, high = sorted(_rounded(end, RANGE_DIGITS) for end in (each[0], each[-1]))
    return kind(low, high, step=_rounded(abs(each[1] - each[0]), RANGE_DIGITS))  # type: ignore[arg-type]


def _rounded(value: float, digits: int) -> float:
    """Return a number with so many significant digits."""
    return float(f"{value:.{digits}g}")


def _require_tags(word: str, tags: set[str], allowed: Sequence[str]) -> None:
    for tag in sorted(tags - {*allowed}):
        known = f"the only tag is {', '.join(allowed)}" if allowed else "a tag has no meaning here"
        raise ConfigError(f"{word}: tag {tag}; {known}")


def _examples(distribution: BaseDistribution) -> list[Any]:
    match distribution:
        case CategoricalDistribution():
            return [*distribution.choices]
        case IntDistribution():
            return [distribution.low, distribution.high]
        case FloatDistribution(step=None):
            inside = distribution.low + (distribution.high - distribution.low) * 0.382
            return [distribution.low, distribution.high, inside]
        case FloatDistribution():
            return [distribution.low, distribution.high]
    raise TypeError(distribution)
