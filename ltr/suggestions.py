"""Text that a person probably meant, for messages that say what to type instead."""

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
    """Say which of the known names was probably begun or mistyped; else list them all."""
    known = sorted(known)
    return did_you_mean(near(word, known)) or "known: " + ", ".join(known)


def did_you_mean(names: Sequence[str]) -> str:
    """The question, empty of no name."""
    if len(names) < 2:
        return f"did you mean {names[0]}?" if names else ""
    return f"did you mean one of {', '.join(names)}?"


def near(word: str, known: Iterable[str]) -> list[str]:
    """The names that were probably begun or mistyped.

    They are compared without case, dashes and underscores, as a whole and by their last dotted part.
    """
    names: dict[str, set[str]] = {}
    for name in known:
        for spelling in (_squeezed(name), _squeezed(name.rpartition(".")[2])):
            names.setdefault(spelling, set()).add(name)
    squeezed = _squeezed(word)
    begun = [name for name in names if squeezed and name.startswith(squeezed)]
    begun = [name for name in begun if len(name) <= len(squeezed) + 2] or begun
    close = [squeezed] if squeezed in names else begun or difflib.get_close_matches(squeezed, names, 1, 0.6)
    return sorted({name for spelling in close for name in names[spelling]})


def _squeezed(name: str) -> str:
    return re.sub(r"[^\w.]|_", "", name.casefold())


def plain(text: str) -> str:
    """The text with ASCII for typographic dashes, quotes and spaces, as pages and PDFs put into commands."""
    return "".join(
        " " if unicodedata.category(sign) == "Zs" else sign for sign in text.translate(_LOOKALIKES)
    )


def spellings(value: str) -> Iterator[str]:
    """Other ways to write a value, the likeliest first: a knob takes one of them, perhaps."""
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
