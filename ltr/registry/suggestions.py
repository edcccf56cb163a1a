"""Suggestions of what to type instead, for error messages."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_LOOKALIKES = str.maketrans(
    dict.fromkeys("‐‑‒–−", "-")
    | dict.fromkeys("—―", "--")
    | dict.fromkeys("‘’‚′", "'")
    | dict.fromkeys("“”„″", '"')
)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a message that suggests the nearest known name, or else lists all of them."""
    known = sorted(known)
    return did_you_mean(near(word, known)) or "known: " + ", ".join(known)


def did_you_mean(names: Sequence[str]) -> str:
    """Return the question "did you mean ...?"; empty without names."""
    if len(names) < 2:
        return f"did you mean {names[0]}?" if names else ""
    return f"did you mean one of {', '.join(names)}?"


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that a word abbreviates or misspells.

    Case, dashes and underscores are ignored. A name matches as a whole or by its last dotted part.
    """
    names: dict[str, set[str]] = {}
    for name in known:
        for spelling in (_squeezed(name), _squeezed(name.rpartition(".")[2])):
            names.setdefault(spelling, set()).add(name)
    squeezed = _squeezed(word)
    prefixed = [name for name in names if squeezed and name.startswith(squeezed)]
    prefixed = [name for name in prefixed if len(name) <= len(squeezed) + 2] or prefixed
    close = (
        [squeezed] if squeezed in names else prefixed or difflib.get_close_matches(squeezed, names, 1, 0.6)
    )
    return sorted({name for spelling in close for name in names[spelling]})


def _squeezed(name: str) -> str:
    return re.sub(r"[^\w.]|_", "", name.casefold())


def plain(text: str) -> str:
    """Return text with ASCII dashes, quotes and spaces, as commands pasted from web pages may have others."""
    return "".join(
        " " if unicodedata.category(char) == "Zs" else char for char in text.translate(_LOOKALIKES)
    )


def spellings(value: str) -> Iterator[str]:
    """Yield other ways to write a value, the likeliest first, for a knob that rejected it."""
    value = plain(value).strip().strip("'\"").rstrip(",")
    yield value
    yield value.casefold().replace("-", "_")
    if match := re.fullmatch(r"(\d+)\s*e(?:p(?:ochs?)?)?", value.casefold()):
        yield f"{match[1]}ep"
    if (number := _number(value.removesuffix("%"))) is not None:
        if number.is_integer() and abs(number) < 1e15:
            yield str(int(number))
        if number >= 10 or "%" in value:
            yield f"{number / 100:g}"
    if value:
        yield f"[{value.strip('[]')}]"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
