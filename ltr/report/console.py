"""Data on the standard output, and notes on the standard error, in which names may be anybody's."""

import sys

from ltr.core.printable import printable


def write(text: str) -> None:
    """Print to the standard output, at once; control characters become escapes."""
    print(printable(text), flush=True)


def note(text: str) -> None:
    """Print to the standard error, at once; control characters become escapes."""
    print(printable(text), file=sys.stderr, flush=True)
