"""Data on the standard output."""

from ltr.core.printable import printable


def write(text: str) -> None:
    """Print to the standard output, at once. Control characters become escapes: names may be anybody's."""
    print(printable(text), flush=True)
