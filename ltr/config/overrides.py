"""Words of a command line checked, and written as the overrides that Hydra's grammar reads.

What is wrong with a word is said before Hydra meets it, in terms of what to type instead.
"""

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ltr.config import files
from ltr.config.groups import ARM, choices, group_names, misnamed
from ltr.config.names import checked
from ltr.config.parse import KnobError, as_typed, knobs, nearest_knob
from ltr.config.schema import FilePath
from ltr.errors import ConfigError
from ltr.suggestions import nearest, plain

_QUOTES = ("'", '"')


class Word(NamedTuple):
    """A `key=value` as it was typed."""

    text: str
    key: str
    """without Hydra's + and ~ before it and @package behind it"""
    value: str

    @classmethod
    def split(cls, text: str) -> "Word":
        key, _, value = text.partition("=")
        return cls(text, key.lstrip("+~").partition("@")[0], value)

    @property
    def is_for_hydra(self) -> bool:
        return self.key.partition(".")[0] == "hydra" or self.key.startswith("hydra/")


def overrides(texts: Sequence[str], sweep: bool = False) -> list[str]:
    """The words as Hydra's overrides; ConfigError, saying what to type, where one is wrong.

    The values of knobs that are marked `AsTyped` are quoted, unless they are quoted already. In a
    sweep, commas part the values of other knobs; of a path they do if each part is there, and the
    whole is not.
    """
    words = [Word.split(text) for text in texts]
    for number, word in enumerate(words):
        _check_form(word, texts[:number], texts[number + 1 :])
        _check_name(word)
    arms = {*_arms_of_files(words), *_arms_of_words(words)}
    quoted = [_quoted(word, sweep) for word in words]
    for word, text in zip(words, quoted, strict=True):
        _check_arms(word, _read(word, text, texts, sweep), arms)
    return quoted


def sources(texts: Sequence[str], arms: Collection[str]) -> set[Path]:
    """The YAML files that an experiment is made of: those that words choose, and those of its arms."""
    chosen = [*_choices_made([Word.split(text) for text in texts])]
    chosen += [(ARM, arm) for arm in choices(ARM) if arm in arms]
    return {path for group, choice in chosen for path in files.sources(group, choice)}


def as_a_person_types(override: str) -> str:
    """A word that `overrides` has quoted, without the quotes."""
    word = Word.split(override)
    if word.key in _options():
        return override.lstrip("+")
    if word.key not in dict(as_typed()) or not _is_quoted(word.value):
        return override
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return f"{word.key}={OverridesParser.create().parse_override(override).value()}"


def option_as_word(option: str, following: Sequence[str]) -> str:
    """What to type for a knob that was typed as an option, as in `--rounds 5`."""
    name, is_assigned, value = option.lstrip("-").partition("=")
    if not is_assigned and following and not following[0].startswith("-") and "=" not in following[0]:
        value = following[0]
    key = name.replace("-", "_")
    if option in ("-m", "--multirun"):
        return f"{option}: an option of ltr run alone; here, leave it out and name one value of each knob"
    if len(key) < 2:
        return f"{option}: not an option; ltr run --help lists them"
    if key in _names():
        return f"{option}: not an option; type {key}={value}"
    return f"{option}: not an option; {nearest_knob(key, _names(), value)}"


def _names() -> set[str]:
    return {knob.name for knob in knobs()}.union(group_names())


def _options() -> set[str]:
    """The knobs that one entry of a registry alone takes: Hydra is told of them by words."""
    return {knob.name for knob in knobs() if knob.entry}


# What a word is made of


def _check_form(word: Word, before: Sequence[str], after: Sequence[str]) -> None:
    text = word.text
    is_text = word.key in dict(as_typed())
    if not is_text and (text[:1] in _QUOTES or plain(text) != text):
        odd = next(sign for sign in text if sign in _QUOTES or plain(sign) != sign)
        meant = "".join(sign for sign in plain(text) if sign not in _QUOTES)
        raise ConfigError(f"{text}: has {odd} in it; did you mean {meant}?")
    if not word.key:
        raise ConfigError(f"'{text}': not a knob; type key=value, as in prune_rate=0.2")
    if "=" not in text and not text.startswith("~"):
        raise ConfigError(f"{text}: not a knob; {_instead(text, before, after)}")
    if after and not word.value and "=" not in after[0] and text.endswith("="):
        raise ConfigError(f"{text}: ends in a space; type {text}{after[0]}")
    if not is_text and (opened := _unclosed(word.value)):
        _raise_unclosed(opened, text, after)


def _instead(text: str, before: Sequence[str], after: Sequence[str]) -> str:
    """What to type for a word that is no `key=value`."""
    if text.lstrip("-") == "help":
        return "ltr run --help lists them"
    if text in _names() and after:
        following = after[0].lstrip("=") or "".join(after[1:2])
        return f"type {text}={following}"
    if before and before[-1].endswith(","):
        return f"to put a space after a comma, quote the whole: type {shlex.quote(f'{before[-1]} {text}')}"
    key, sign, value = text.partition(":")
    if sign and key in _names():
        return f"type {key}={value}"
    if text in choices("experiment"):
        return f"type experiment={text}"
    return "type key=value, as in prune_rate=0.2"


def _unclosed(value: str) -> str:
    """The brackets that a value opens and does not close."""
    if value[:1] in _QUOTES:
        return ""
    pairs = (("[", "]"), ("{", "}"), ("(", ")"))
    return "".join(opening for opening, closing in pairs if value.count(opening) > value.count(closing))


def _raise_unclosed(opened: str, text: str, after: Sequence[str]) -> None:
    whole = text
    for part in after:
        whole += f" {part}"
        if "=" in part:
            break
        if not _unclosed(whole.partition("=")[2]):
            raise ConfigError(f"{text}: has a space in it; quote the whole: type {shlex.quote(whole)}")
    raise ConfigError(f"{text}: {opened[0]} is never closed")


# What a word names


def _check_name(word: Word) -> None:
    """ConfigError, with the nearest there is, for an unknown knob or choice."""
    key, value = word.key, word.value
    if word.is_for_hydra:
        return
    if key == ARM:
        raise ConfigError(f"{word.text}: arms are chosen by name, as in arms=[ticket,random_mask]")
    if key in group_names():
        if value.startswith("[") and key != "experiment":
            sweep = f"ltr run -m {key}={value.strip('[]')}"
            raise ConfigError(f"{word.text}: takes one choice; to sweep, type {sweep}")
        for choice in _chosen(word):
            if choice not in (*choices(key), "null") and not word.text.startswith("~"):
                raise ConfigError(f"{key}={choice}: unknown choice; {_nearest_choice(key, choice)}")
    elif not re.fullmatch(r"arm\.\w+", key) and re.sub(r"^arm\.\w+\.", "arm.NAME.", key) not in _names():
        raise ConfigError(f"{key}: unknown knob; {nearest_knob(key, _names(), value)}")
    if re.match(r"\+[^+]", word.text) and _is_there(key):
        raise ConfigError(f"{word.text}: + adds what is not there, and {key} is; type {key}={value}")


def _is_there(key: str) -> bool:
    """Whether every configuration has this knob or group; arms may be added."""
    of_arm = re.match(r"arm\.(\w+)", key)
    return of_arm[1] in choices(ARM) if of_arm else key in _names()


def _chosen(word: Word) -> Iterator[str]:
    """The choices that a word makes of a group, without those that Hydra's functions make."""
    if word.value == "" or word.value in choices(word.key):
        yield word.value
    elif not re.search(r"[${}()]", word.value):
        yield from (part for text in word.value.strip("[]").split(",") if (part := text.strip().strip("'\"")))


def _nearest_choice(group: str, choice: str) -> str:
    if unread := misnamed(group, choice):
        return f"rename {unread} to end in .yaml"
    if (other := choice.removesuffix(".yaml")) in choices(group):
        return f"did you mean {other}?"
    return nearest(choice, choices(group))


def _check_arms(word: Word, value: Any, defined: Collection[str]) -> None:
    """ConfigError if a word names an arm that nothing defines, or whose file is wrong."""
    if word.key.startswith(f"{ARM}."):
        files.check_arms(word.key.split(".")[1:2], defined)
    elif word.key == "arms" and isinstance(value, list):
        files.check_arms(value, defined)


def _arms_of_words(words: Sequence[Word]) -> set[str]:
    """The arms that words add, as `+arm.NAME={noise:2}` and `++arm.NAME.noise=2` do."""
    return {word.key.split(".")[1] for word in words if word.text.startswith((f"+{ARM}.", f"++{ARM}."))}


def _arms_of_files(words: Sequence[Word]) -> Iterator[str]:
    """The arms that the chosen files define; ConfigError, which names file and line, if one is wrong."""
    for group, choice in _choices_made(words):
        yield from files.check(group, choice)


def _choices_made(words: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """The choices that words make of groups, and config.yaml of the others."""
    made = {word.key: [*_chosen(word)] for word in words if word.key in group_names()}
    chosen = {group: [choice] for group, choice in files.base_choices().items()} | made
    for group, some in chosen.items():
        yield from ((group, choice) for choice in some if choice not in ("", "null"))


# What Hydra reads


def _quoted(word: Word, sweep: bool) -> str:
    before = word.text[: len(word.text) - len(word.value)]
    mark = dict(as_typed()).get(word.key)
    if word.key in group_names():
        is_odd = not re.fullmatch(r"[\w.-]+", word.value, re.ASCII)
        return before + as_text(word.value) if is_odd and word.value in choices(word.key) else word.text
    if word.key in _options():
        return f"++{word.key}={word.value}"
    if mark is None or word.value in ("", "null") or _is_quoted(word.value):
        return word.text
    values = [word.value]
    if sweep and (not isinstance(mark, FilePath) or _are_files(word.value.split(","), word.value)):
        values = word.value.split(",")
    return before + ",".join(map(as_text, values))


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES


def as_text(text: str) -> str:
    """A value that Hydra's grammar takes as it is, whatever is in it."""
    from hydra.core.override_parser.types import Quote, QuotedString

    literal = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)  # no reference to another knob
    return QuotedString(literal, Quote.single).with_quotes()


def _are_files(parts: Sequence[str], whole: str) -> bool:
    return not Path(whole).expanduser().exists() and all(Path(part).expanduser().exists() for part in parts)


def _read(word: Word, text: str, words: Sequence[str], sweep: bool) -> Any:
    """The value of a word, None where it is not one alone.

    ConfigError where Hydra's grammar cannot read it, or reads a sweep where there is none, or the
    knob does not take it.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        if word.key not in group_names() and not word.is_for_hydra:
            checked(_nested(word.key, word.value))
        meant = text.rstrip(",") if text.endswith(",") else _with_quotes(word)
        raise ConfigError(f"{word.text}: cannot be read; did you mean {meant}?") from None
    if override.is_sweep_override():
        _check_sweep(word, words, sweep)
        return None
    value = override.value()
    if not word.is_for_hydra and word.key not in group_names() and not override.is_delete():
        _check_taken(word, value)
    return value


def _check_sweep(word: Word, words: Sequence[str], sweep: bool) -> None:
    if "," in word.value and "[" not in word.value and _is_list(word.key):
        raise ConfigError(f"{word.text}: is a list; type '{word.key}=[{word.value}]'")
    if not sweep:
        raise ConfigError(f"{word.text}: has several values; to sweep, type ltr run -m {shlex.join(words)}")


def _check_taken(word: Word, value: Any) -> None:
    """ConfigError if a knob does not take a value that no other knob decides; numbers are said as typed."""
    if "${" in word.value:
        return
    try:
        checked(_nested(word.key, value))
    except KnobError:
        if isinstance(value, int | float):
            checked(_nested(word.key, word.value))
        raise


def _nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _with_quotes(word: Word) -> str:
    value = word.value.replace('"', "")
    return shlex.quote(f'{word.key}="{value}"')


def _is_list(key: str) -> bool:
    return any(knob.name == key and knob.allowed.startswith("a list") for knob in knobs())
