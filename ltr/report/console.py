"""Data on the standard output, and notes on the standard error, in which names may be anybody's.

Files of a bucket are named by their address, not by the path of their working copy.
"""

import sys

from ltr.addresses import shown
from ltr.core.printable import printable


def write(text: str) -> None:
    """Print to the standard output, at once; control characters become escapes."""
    print(printable(shown(text)), flush=True)


def note(text: str) -> None:
    """Print to the standard error, at once; control characters become escapes."""
    print(printable(shown(text)), file=sys.stderr, flush=True)
