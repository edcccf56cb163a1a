"""What is going on, said in passing: on a terminal, in a line that the next one takes over."""

import sys

_WIDTH = 79


def show_status(text: str) -> None:
    """Show it on standard error; an empty text clears the line. Nothing where that is no terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:{_WIDTH}.{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
