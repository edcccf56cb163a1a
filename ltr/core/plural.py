"""Counts with their nouns."""


def number_of(count: int, noun: str, plural: str = "") -> str:
    """Return a count and its noun: `1 lane`, `2 lanes`, `12,000 steps`, or `2 classes` with that plural."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def is_or_are(count: int) -> str:
    """Return the verb of so many things."""
    return "is" if count == 1 else "are"
