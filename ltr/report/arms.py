"""Names, colours and markers of arms, shared by all tables, figures and sentences."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple


class Style(NamedTuple):
    """Style of an arm: its name in a figure and in a sentence, its colour and its matplotlib marker."""

    label: str
    phrase: str
    colour: str
    marker: str


ARMS = {
    "ticket": Style("ticket", "the ticket", "#0072B2", "o"),
    "random_reinit": Style("random reinit", "the same mask with fresh weights", "#D55E00", "s"),
    "random_mask": Style("random mask", "a random mask", "#009E73", "^"),
    "one_shot": Style("one-shot", "one-shot pruning", "#B0508F", "D"),
}
"""Arms with a style of their own, in the order in which they are shown.

The colours follow Okabe & Ito (2008), a palette that colour-blind readers can distinguish.
"""

DENSE = Style("dense", "the dense network", "#555555", "")
"""The baseline: the ticket arm of round 0."""

_COLOURS, _MARKERS = ("#E69F00", "#56B4E9", "#7F6A00", "#000000"), ("v", "P", "X", "p")
_SPARE = [
    (colour, _MARKERS[(position + turn) % len(_MARKERS)])
    for turn in range(len(_MARKERS))
    for position, colour in enumerate(_COLOURS)
]
"""Styles of other arms: all colours with different markers, then again with other markers."""


def in_order(arms: Iterable[str]) -> list[str]:
    """Return each arm once: the arms of `ARMS` first, then the others by name."""
    known = list(ARMS)
    return sorted(set(arms), key=lambda arm: (known.index(arm) if arm in ARMS else len(known), arm))


def styles(arms: Iterable[str]) -> dict[str, Style]:
    """Return the style of each arm, in order; arms that are not in `ARMS` take the spare styles in turn."""
    spare = itertools.cycle(_SPARE)
    return {
        arm: ARMS[arm] if arm in ARMS else Style(arm.replace("_", " "), arm, *next(spare))
        for arm in in_order(arms)
    }
