"""Status line on a terminal, which the next status or message overwrites."""

import sys

_WIDTH = 79


def show_status(text: str) -> None:
    """Show a status on standard error if it is a terminal; an empty text clears the line."""
    if sys.stderr.isatty():
        print(f"\r{text:{_WIDTH}.{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
