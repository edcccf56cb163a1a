"""Words of the command line as typed: checks of their form and of the knob or group that they name.

A wrong word raises an error that says what to type instead, before Hydra is imported.
"""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from ltr.config import hydra_settings
from ltr.config.groups import ARM, choice_names, group_names
from ltr.config.parse import as_typed, generic, knobs, nearest_knob
from ltr.errors import ConfigError
from ltr.registry.suggestions import plain

QUOTES = ("'", '"')


class Word(NamedTuple):
    """Word `key=value` as it was typed."""

    text: str
    key: str
    """knob or group, without Hydra's prefixes + and ~ and its suffix @package"""
    value: str

    @classmethod
    def split(cls, text: str) -> "Word":
        """Return the word of a text."""
        key, _, value = text.partition("=")
        return cls(text, key.lstrip("+~").partition("@")[0], value)

    @property
    def before_value(self) -> str:
        """Text up to and including `=`."""
        return self.text.removesuffix(self.value)

    @property
    def is_for_hydra(self) -> bool:
        """Whether it configures Hydra itself."""
        return self.key.partition(".")[0] == "hydra" or self.key.startswith("hydra/")

    @property
    def is_as_typed(self) -> bool:
        """Whether its value is literal text, in which no character has a special meaning."""
        return self.key in as_typed()

    @property
    def names_group(self) -> bool:
        """Whether it chooses a file of a config group."""
        return self.key in group_names()

    @property
    def is_quoted(self) -> bool:
        """Whether its value is in quotes."""
        value = self.value
        return len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES


def split_words(texts: Sequence[str]) -> list[Word]:
    """Return the words; ConfigError says what to type if a word is malformed or names no knob."""
    words = [Word.split(text) for text in texts]
    for number, word in enumerate(words):
        _check_form(word, texts[:number], texts[number + 1 :])
        _check_name(word)
    return words


def option_as_word(option: str, following: Sequence[str]) -> str:
    """Return a message that says what to type instead of an option such as `--rounds 5`."""
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


def _check_form(word: Word, before: Sequence[str], after: Sequence[str]) -> None:
    text = word.text
    if not word.is_as_typed and (text[:1] in QUOTES or plain(text) != text):
        unexpected = next(char for char in text if char in QUOTES or plain(char) != char)
        meant = "".join(char for char in plain(text) if char not in QUOTES)
        raise ConfigError(f"{text}: has {unexpected} in it; did you mean {meant}?")
    if not word.key:
        raise ConfigError(f"'{text}': not a knob; type key=value, as in prune_rate=0.2")
    if "=" not in text and not text.startswith("~"):
        raise ConfigError(f"{text}: not a knob; {_instead(text, before, after)}")
    if after and not word.value and "=" not in after[0] and text.endswith("="):
        raise ConfigError(f"{text}: ends in a space; type {text}{after[0]}")
    if not word.is_as_typed and (opened := _unclosed(word.value)):
        _raise_unclosed(opened, text, after)


def _instead(text: str, before: Sequence[str], after: Sequence[str]) -> str:
    """Return what to type for a word that is not `key=value`."""
    if text.lstrip("-") == "help":
        return "ltr run --help lists them"
    if text in _names() and after:
        following = after[0].lstrip("=") or "".join(after[1:2])
        return f"type {text}={following}"
    if before and before[-1].endswith(","):
        return f"to put a space after a comma, quote the whole: type {shlex.quote(f'{before[-1]} {text}')}"
    key, colon, value = text.partition(":")
    if colon and key in _names():
        return f"type {key}={value}"
    if text in choice_names("experiment"):
        return f"type experiment={text}"
    return "type key=value, as in prune_rate=0.2"


def _unclosed(value: str) -> str:
    """Return the brackets that a value opens but does not close."""
    if value[:1] in QUOTES:
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


def _check_name(word: Word) -> None:
    if word.key == ARM:
        raise ConfigError(f"{word.text}: arms are chosen by name, as in arms=[ticket,random_mask]")
    has_package = "@" in word.before_value
    if word.is_for_hydra and (has_package or not hydra_settings.may_be_set(word.key)):
        raise ConfigError(f"{word.text}: of Hydra's settings, {hydra_settings.ALLOWED} can be set")
    is_arm = generic(word.key) == generic(f"{ARM}.NAME")
    if not (word.is_for_hydra or is_arm or generic(word.key) in _names()):
        raise ConfigError(f"{word.key}: unknown knob; {nearest_knob(word.key, _names(), word.value)}")
    adds = word.text.startswith("+") and not word.text.startswith("++")
    if adds and _exists(word.key):
        meant = f"{word.key}={word.value}"
        raise ConfigError(f"{word.text}: + adds a new knob, but {word.key} exists; type {meant}")


def _exists(key: str) -> bool:
    """Return whether every configuration has this knob or group; arms can be added."""
    group, _, inner = key.partition(".")
    return inner.partition(".")[0] in choice_names(ARM) if group == ARM else key in _names()
