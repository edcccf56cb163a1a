"""The claims and their verdicts, as plain data for JSON and as text."""

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ltr.analysis.claims import CLAIMS, REFUTED, SUPPORTED, UNDECIDED, Verdict, sparsest
from ltr.config import Claims
from ltr.report.numbers import percent, replicates

WIDTH = 80


Found = Mapping[str, Sequence[Verdict]]
"""Verdicts by the name of their claim."""


def claims(found: Found) -> list[dict[str, Any]]:
    """Of each claim: `claim`, `says`, and `rounds` with the fields of `Verdict`, None for NaN."""
    return [
        {"claim": name, "says": CLAIMS[name].says, "rounds": [_plain(one) for one in of_claim]}
        for name, of_claim in found.items()
    ]


def claims_text(found: Found, asked: Claims) -> str:
    """Every claim, and at which densities it is what; empty where nothing is claimed."""
    counts = [one.n for of_claim in found.values() for one in of_claim]
    if not counts:
        return ""
    lines = [f"Claims ({replicates(counts)}, paired; {_test(found, asked)}): the ticket"]
    for name, of_claim in found.items():
        lines += [f"{CLAIMS[name].says}", f"  {'; '.join(_spans(of_claim, bool(asked.densities)))}"]
    match = sparsest(found.get("matches", []))
    if match:
        lines.append(f"The sparsest that surely matches keeps {percent(match.density)} % of the weights.")
    wrapped = (textwrap.fill(line, WIDTH, subsequent_indent=_indent(line)) for line in lines)
    return "\n".join(wrapped)


def _test(found: Found, asked: Claims) -> str:
    """How they are tested, and where, if not everywhere."""
    chosen = sorted({one.density for of_claim in found.values() for one in of_claim}, reverse=True)
    where = f" at {', '.join(map(percent, chosen))} %" if asked.densities else ""
    looks = f" and {len(asked.looks)} looks" if asked.looks else ""
    return f"t-tests at 5 %{where}, corrected over rounds{looks}"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _spans(of_claim: Sequence[Verdict], is_chosen: bool) -> Iterator[str]:
    """Where it is supported and where refuted, by density; and whether the rest may be told.

    Rounds that were chosen are named one by one, since nothing is said of those between.
    """
    key = (lambda one: (one.verdict, one.round)) if is_chosen else (lambda one: (one.verdict, 0))
    for verdict in (SUPPORTED, REFUTED):
        groups = itertools.groupby(of_claim, key)
        if spans := [_span(list(rounds)) for (found, _), rounds in groups if found == verdict]:
            yield f"{verdict} at {', '.join(spans)} %"
    undecided = [one for one in of_claim if one.verdict == UNDECIDED]
    if undecided:
        where = "throughout" if len(undecided) == len(of_claim) else "elsewhere"
        yield f"{UNDECIDED} {where}{_wanted(undecided)}"


def _span(rounds: Sequence[Verdict]) -> str:
    return " to ".join(dict.fromkeys(percent(one.density) for one in (rounds[0], rounds[-1])))


def _wanted(undecided: Sequence[Verdict]) -> str:
    """How many replicates would probably decide the first of these rounds."""
    needed = [one.needed for one in undecided if one.needed is not None]
    if all(one.n < 2 for one in undecided):
        return " (one replicate says nothing of chance)"
    if not needed:
        return ""
    return f" ({min(needed)} replicates might tell{' some of it' if len(undecided) > 1 else ''})"


def _plain(one: Verdict) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in one._asdict().items()
    }
