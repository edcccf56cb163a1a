"""How each arm is named and drawn, the same in every table, figure and sentence."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple


class Style(NamedTuple):
    """An arm's name in a figure and in a sentence, and its colour and marker (of matplotlib)."""

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
"""The arms with a look of their own, in the order in which they are shown.

Colours are after Okabe & Ito 2008: the colour-blind can tell them apart.
"""

DENSE = Style("dense", "the dense network", "#555555", "")
"""The baseline: the ticket arm of round 0."""

_COLOURS, _MARKERS = ("#E69F00", "#56B4E9", "#7F6A00", "#000000"), ("v", "P", "X", "p")
_SPARE = [
    (colour, _MARKERS[(place + turn) % len(_MARKERS)])
    for turn in range(len(_MARKERS))
    for place, colour in enumerate(_COLOURS)
]
"""First each colour with a marker of its own, then with another one."""


def in_order(arms: Iterable[str]) -> list[str]:
    """Each arm once: those of `ARMS` first, then the others by name."""
    known = list(ARMS)
    return sorted(set(arms), key=lambda arm: (known.index(arm) if arm in ARMS else len(known), arm))


def styles(arms: Iterable[str]) -> dict[str, Style]:
    """The look of each arm, in order; arms without one of their own take spare ones in turn."""
    spare = itertools.cycle(_SPARE)
    return {
        arm: ARMS[arm] if arm in ARMS else Style(arm.replace("_", " "), arm, *next(spare))
        for arm in in_order(arms)
    }
