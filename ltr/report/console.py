"""Data on the standard output."""


def write(text: str) -> None:
    """Print to the standard output, at once."""
    print(text, flush=True)
