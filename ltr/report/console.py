"""Data on the standard output."""

import os
import sys


def write(text: str) -> None:
    """Print to the standard output; do nothing if its reader has closed it, as `head` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
