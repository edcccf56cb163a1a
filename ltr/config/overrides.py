"""Overrides for Hydra from words of the command line, parsed by Hydra's parser and with checked values.

A wrong word raises an error that says what to type instead, before Hydra composes anything.
"""

import functools
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.config import files
from ltr.config.groups import ARM, choice_names, misnamed
from ltr.config.hydra_settings import NO_REFERENCE, NO_TARGET, names_target, refers
from ltr.config.names import checked
from ltr.config.parse import KnobError, as_typed, knobs
from ltr.config.schema import FilePath
from ltr.config.words import Word, split_words
from ltr.errors import ConfigError
from ltr.registry.suggestions import nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override


def overrides(texts: Sequence[str], sweep: bool = False) -> list[str]:
    """Return the words as Hydra's overrides.

    Values of knobs marked `AsTyped` are quoted, unless they are already. In a sweep, commas separate the
    values of a knob. They separate paths only if each part exists and the whole does not.

    Raises:
        ConfigError: a word is wrong; the message says what to type.
    """
    words = split_words(texts)
    parsed = [_override(word, sweep) for word in words]
    choices = _choices_made(words, parsed)
    arms = {*_arms_of_files(choices), *_arms_of_words(words)}
    if not sweep:
        _refuse_sweeps(choices, words)
    for word, override in zip(words, parsed, strict=True):
        _check_value(word, override, texts, sweep, arms)
    return [str(override.input_line) for override in parsed]


def sources(texts: Sequence[str], arms: Collection[str]) -> set[Path]:
    """Return the YAML files that an experiment uses: the files chosen by words, and those of its arms."""
    words = [Word.split(text) for text in texts]
    made = _choices_made(words, [_override(word, sweep=False) for word in words])
    chosen = [(group, choice) for group, choices in made.items() for choice in choices]
    chosen += [(ARM, arm) for arm in choice_names(ARM) if arm in arms]
    return {
        path
        for group, choice in chosen
        if choice not in ("", "null")
        for path in files.sources(group, choice)
    }


def typed_word(override: str) -> str:
    """Return the word that was typed, without the quotes and the `++` that `overrides` added."""
    word = Word.split(override)
    if word.key in _options():
        return override.lstrip("+")
    if not word.is_as_typed or not word.is_quoted:
        return override
    return f"{word.key}={_parser().parse_override(override).value()}"


@functools.cache
def _parser() -> "OverridesParser":
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()


def _override(word: Word, sweep: bool) -> "Override":
    """Return a word as parsed by Hydra; ConfigError if Hydra cannot parse it."""
    from hydra.errors import HydraException

    names_file = word.names_group and word.value in choice_names(word.key)
    try:
        override = _parser().parse_override(_text_quoted(word, sweep))
    except HydraException:
        if not names_file:
            raise _unreadable(word) from None
    else:
        if not names_file or override.value() == word.value:
            return override
    return _parser().parse_override(word.before_value + as_text(word.value))


def _unreadable(word: Word) -> ConfigError:
    """Return the error for a word outside Hydra's grammar."""
    if not word.names_group and not word.is_for_hydra:
        try:
            checked(_nested(word.key, word.value))
        except KnobError as error:
            return error
    meant = word.text.rstrip(",") if word.text.endswith(",") else _with_quotes(word)
    return ConfigError(f"{word.text}: cannot be read; did you mean {meant}?")


def _options() -> set[str]:
    """Return the options of registry entries, which are not in the schema that Hydra knows."""
    return {knob.name for knob in knobs() if knob.entry}


# Quotes, because some characters without quotes have a meaning in Hydra's grammar


def _text_quoted(word: Word, sweep: bool) -> str:
    mark = as_typed().get(word.key)
    if word.key in _options():
        return f"++{word.key}={word.value}"
    if mark is None or word.value in ("", "null") or word.is_quoted:
        return word.text
    values = [word.value]
    if sweep and (not isinstance(mark, FilePath) or _are_files(word.value.split(","), word.value)):
        values = word.value.split(",")
    return word.before_value + ",".join(map(as_text, values))


def as_text(text: str) -> str:
    """Return the text in quotes, with references to other knobs escaped."""
    from hydra.core.override_parser.types import Quote, QuotedString

    literal = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)  # OmegaConf's escapes
    return QuotedString(literal, Quote.single).with_quotes()


def _are_files(parts: Sequence[str], whole: str) -> bool:
    return not Path(whole).expanduser().exists() and all(Path(part).expanduser().exists() for part in parts)


def _with_quotes(word: Word) -> str:
    value = word.value.replace('"', "")
    return shlex.quote(f'{word.key}="{value}"')


# Choices of groups, and the arms that they define


def _choices_made(words: Sequence[Word], overrides: Sequence["Override"]) -> dict[str, list[str]]:
    """Return the choices of each group by words, else by config.yaml; ConfigError for an unknown choice."""
    choices = {group: [choice] for group, choice in files.base_choices().items()}
    for word, override in zip(words, overrides, strict=True):
        if word.names_group:
            choices[word.key] = _checked_choices(word, override)
    return choices


def _checked_choices(word: Word, override: "Override") -> list[str]:
    """Return the choices that a word makes of its group; ConfigError for an unknown choice."""
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep

    value = override.value()
    if isinstance(value, IntervalSweep | RangeSweep):
        names = ",".join(choice_names(word.key)[:2])
        raise ConfigError(f"{word.text}: {word.key} takes names; list them, as in {word.key}={names}")
    if isinstance(value, list) and word.key != "experiment":
        sweep = f"ltr run -m {word.key}={word.value.strip('[]')}"
        raise ConfigError(f"{word.text}: takes one choice; to sweep, type {sweep}")
    chosen = [*_choices(override)]
    for choice in chosen:
        if choice not in (*choice_names(word.key), "null") and not override.is_delete():
            raise ConfigError(f"{word.key}={choice}: unknown choice; {_nearest_choice(word.key, choice)}")
    return chosen


def _choices(override: "Override") -> Iterator[str]:
    """Yield the choices of an override, without references to knobs."""
    from hydra.core.override_parser.types import ChoiceSweep, QuotedString, Sweep

    value: Any = override.value()
    if isinstance(value, ChoiceSweep):
        value = value.list
    elif isinstance(value, Sweep) or override.is_delete():
        return
    for part in value if isinstance(value, list) else [value]:
        text = part.text if isinstance(part, QuotedString) else "null" if part is None else str(part)
        if "${" not in text:
            yield text


def _nearest_choice(group: str, choice: str) -> str:
    if unread := misnamed(group, choice):
        return f"rename {unread} to end in .yaml"
    if (other := choice.removesuffix(".yaml")) in choice_names(group):
        return f"did you mean {other}?"
    return nearest(choice, choice_names(group))


def _arms_of_words(words: Sequence[Word]) -> set[str]:
    """Return the arms that words add, as in `+arm.NAME={noise:2}` or `++arm.NAME.noise=2`."""
    return {word.key.split(".")[1] for word in words if word.text.startswith((f"+{ARM}.", f"++{ARM}."))}


def _arms_of_files(chosen: dict[str, list[str]]) -> Iterator[str]:
    """Yield the arms that the chosen files define; ConfigError with file and line if a file is wrong."""
    for group, choices in chosen.items():
        for choice in choices:
            if choice not in ("", "null"):
                yield from files.check(group, choice)


def _refuse_sweeps(chosen: Mapping[str, Sequence[str]], words: Sequence[Word]) -> None:
    """Raise ConfigError with file and line if a chosen file sweeps a knob that no word sets."""
    given = {word.key for word in words}
    files_of = ((group, choice) for group, choices in chosen.items() for choice in choices)
    for group, choice in files_of:
        for knob, error in files.swept(group, choice) if choice not in ("", "null") else ():
            if Word.split(f"{knob}=").key not in given:
                again = shlex.join(["ltr", "run", "-m", *(word.text for word in words)])
                raise ConfigError(f"{error}; to sweep, type {again}")


# Values of knobs


def _check_value(
    word: Word, override: "Override", texts: Sequence[str], sweep: bool, defined: Collection[str]
) -> None:
    """Raise ConfigError for a sweep in a single run, an unknown arm, or a value that its knob refuses.

    Args:
        word: word as it was typed.
        override: the same word as parsed by Hydra.
        texts: all words, for the suggestion of a sweep.
        sweep: whether words may have several values.
        defined: arms defined by words and files, beside those of the group `arm`.
    """
    if override.is_sweep_override():
        if "," in word.value and "[" not in word.value and _is_list(word.key):
            meant = Word.split(f"{word.before_value}[{word.value}]")
            _check_value(meant, _override(meant, sweep), texts, sweep, defined)
            raise ConfigError(f"{word.text}: is a list; type '{meant.text}'")
        if not sweep:
            again = shlex.join(["ltr", "run", "-m", *texts])
            raise ConfigError(f"{word.text}: has several values; to sweep, type {again}")
        return
    value = override.value()
    if word.is_for_hydra and names_target(value):
        raise ConfigError(f"{word.text}: {NO_TARGET}")
    if word.is_for_hydra and "." in word.key and refers(word.key, value):
        raise ConfigError(f"{word.text}: {NO_REFERENCE}")
    if word.key == "arms":
        files.check_arms(value, defined)
    if not (word.is_for_hydra or word.names_group or override.is_delete()):
        _check_accepted(word, value)
    if word.key.startswith(f"{ARM}."):
        files.check_arms(word.key.split(".")[1], defined)


def _is_list(key: str) -> bool:
    return any(knob.name == key and knob.allowed.startswith("a list") for knob in knobs())


def _check_accepted(word: Word, value: Any) -> None:
    """Raise ConfigError if a knob refuses its value.

    The error shows a number as it was typed. References to other knobs are not checked.
    """
    if "${" in word.value:
        return
    try:
        checked(_nested(word.key, value))
    except KnobError:
        if isinstance(value, int | float) and not isinstance(value, bool):
            checked(_nested(word.key, word.value))
        raise


def _nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)
