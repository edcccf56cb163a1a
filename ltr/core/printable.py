"""Text that only shows: characters that would control a terminal, or reorder a line, become escapes."""

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters other than tab and newline, and those that change the direction of text."""


def printable(text: str) -> str:
    """Return the text with control characters as escapes of Python; lines stay as they are."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def on_one_line(text: str) -> str:
    """Return the text of a cell: without control characters, and with line breaks as escapes too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")
