"""Words of a command line checked, and written as the overrides that Hydra's grammar reads.

What is wrong with a word is said before Hydra meets it, in terms of what to type instead.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ltr import config_files
from ltr.config import FilePath
from ltr.errors import ConfigError
from ltr.groups import ARM, choices, file_of, group_names
from ltr.knobs import as_typed, knobs, nearest_knob
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
    config_files_of(words)
    quoted = [_quoted(word, sweep) for word in words]
    for word, text in zip(words, quoted, strict=True):
        _check_value(word, text, texts, sweep)
    return quoted


def option_as_word(option: str, following: Sequence[str]) -> str:
    """What to type for a knob that was typed as an option, as in `--rounds 5`."""
    name, is_assigned, value = option.lstrip("-").partition("=")
    if not is_assigned and following and not following[0].startswith("-") and "=" not in following[0]:
        value = following[0]
    key = name.replace("-", "_")
    if key in _names():
        return f"{option}: not an option; type {key}={value}"
    return f"{option}: not an option; {nearest_knob(key, _names(), value)}"


def _names() -> set[str]:
    return {knob.name for knob in knobs()}.union(group_names())


# What a word is made of


def _check_form(word: Word, before: Sequence[str], after: Sequence[str]) -> None:
    text = word.text
    is_text = word.key in dict(as_typed())
    if not is_text and (text[:1] in _QUOTES or plain(text) != text):
        odd = next(sign for sign in text if sign in _QUOTES or plain(sign) != sign)
        meant = "".join(sign for sign in plain(text) if sign not in _QUOTES)
        raise ConfigError(f"{text}: has {odd} in it; did you mean {meant}?")
    if "=" not in text and not text.startswith("~"):
        raise ConfigError(f"{text}: not a knob; {_instead(text, before, after)}")
    if after and not word.value and "=" not in after[0] and text.endswith("="):
        raise ConfigError(f"{text}: ends in a space; type {text}{after[0]}")
    if not is_text and (opened := _unclosed(word.value)):
        _complain_of(opened, text, after)


def _instead(text: str, before: Sequence[str], after: Sequence[str]) -> str:
    """What to type for a word that is no `key=value`."""
    if text.lstrip("-") == "help":
        return "ltr run --help lists them"
    if text in _names() and after:
        following = after[0].lstrip("=") or "".join(after[1:2])
        return f"type {text}={following}"
    if before and before[-1].endswith(","):
        return f"to put a space after a comma, quote the whole: type {shlex.quote(f'{before[-1]} {text}')}"
    if text in choices("experiment"):
        return f"type experiment={text}"
    return "type key=value, as in prune_rate=0.2"


def _unclosed(value: str) -> str:
    """The brackets that a value opens and does not close."""
    if value[:1] in _QUOTES:
        return ""
    pairs = (("[", "]"), ("{", "}"), ("(", ")"))
    return "".join(opening for opening, closing in pairs if value.count(opening) > value.count(closing))


def _complain_of(opened: str, text: str, after: Sequence[str]) -> None:
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
        for choice in _chosen(word):
            if choice not in (*choices(key), "null"):
                raise ConfigError(f"{key}={choice}: unknown choice; {_nearest_choice(key, choice)}")
    elif not re.fullmatch(r"arm\.\w+", key) and re.sub(r"^arm\.\w+\.", "arm.NAME.", key) not in _names():
        raise ConfigError(f"{key}: unknown knob; {nearest_knob(key, _names(), value)}")


def _chosen(word: Word) -> Iterator[str]:
    """The choices that a word makes of a group, without those that Hydra's functions make."""
    if word.value in choices(word.key):
        yield word.value
    elif not re.search(r"[${}()]", word.value):
        yield from (part for text in word.value.strip("[]").split(",") if (part := text.strip().strip("'\"")))


def _nearest_choice(group: str, choice: str) -> str:
    if (unread := file_of(group, choice).with_suffix(".yml")).is_file():
        return f"rename {unread} to end in .yaml"
    if (other := choice.removesuffix(".yaml")) in choices(group):
        return f"did you mean {other}?"
    return nearest(choice, choices(group))


def config_files_of(words: Sequence[Word]) -> None:
    """ConfigError where a file that these words choose, or that config.yaml does, is wrong."""
    made = {word.key: [*_chosen(word)] for word in words if word.key in group_names()}
    chosen = {group: [choice] for group, choice in config_files.base_choices().items()} | made
    for group, some in chosen.items():
        for choice in some:
            if choice != "null":
                config_files.check(group, choice)


# What Hydra reads


def _quoted(word: Word, sweep: bool) -> str:
    before = word.text[: len(word.text) - len(word.value)]
    mark = dict(as_typed()).get(word.key)
    if word.key in group_names():
        is_odd = not re.fullmatch(r"[\w.-]+", word.value, re.ASCII)
        return before + _quoted_text(word.value) if is_odd and word.value in choices(word.key) else word.text
    if mark is None or word.value in ("", "null") or _is_quoted(word.value):
        return word.text
    values = [word.value]
    if sweep and (not isinstance(mark, FilePath) or _are_files(word.value.split(","), word.value)):
        values = word.value.split(",")
    return before + ",".join(map(_quoted_text, values))


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES


def _quoted_text(text: str) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def _are_files(parts: Sequence[str], whole: str) -> bool:
    return not Path(whole).expanduser().exists() and all(Path(part).expanduser().exists() for part in parts)


def _check_value(word: Word, text: str, words: Sequence[str], sweep: bool) -> None:
    """ConfigError where Hydra's grammar cannot read a value, or reads a sweep where there is none."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if word.value.endswith(","):
        raise ConfigError(f"{word.text}: ends in a comma; did you mean {word.text.rstrip(',')}?")
    try:
        read = OverridesParser.create().parse_override(text)
    except HydraException:
        raise ConfigError(f"{word.text}: cannot be read; if meant so, type {_as_quoted(word)}") from None
    if not read.is_sweep_override():
        return
    if "," in word.value and "[" not in word.value and _is_list(word.key):
        raise ConfigError(f"{word.text}: is a list; type '{word.key}=[{word.value}]'")
    if not sweep:
        raise ConfigError(f"{word.text}: has several values; to sweep, type ltr run -m {shlex.join(words)}")


def _as_quoted(word: Word) -> str:
    value = word.value.replace('"', "")
    return shlex.quote(f'{word.key}="{value}"')


def _is_list(key: str) -> bool:
    return any(knob.name == key and knob.allowed.startswith("a list") for knob in knobs())
