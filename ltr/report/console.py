"""Data on the standard output."""

import os
import sys

from ltr.core.printable import printable


def write(text: str) -> None:
    """Print to the standard output; do nothing if its reader has closed it, as `head` does.

    Control characters become escapes, as names in a run's folder may be anybody's.
    """
    try:
        print(printable(text), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
