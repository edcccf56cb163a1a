"""The claims and their verdicts, as plain data for JSON and as text."""

import itertools
import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ltr.analysis.claims import CLAIMS, REFUTED, SUPPORTED, UNDECIDED, Verdict, sparsest, verdicts
from ltr.report.numbers import percent, replicates

WIDTH = 80


def claims(results: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each claim: `claim`, `says`, and `rounds` with the fields of `Verdict`, None for NaN."""
    return [
        {"claim": name, "says": CLAIMS[name].says, "rounds": [_plain(one) for one in of_claim]}
        for name, of_claim in verdicts(results).items()
    ]


def claims_text(results: pd.DataFrame) -> str:
    """Every claim, and at which densities it is what; empty where nothing is pruned."""
    found = verdicts(results)
    counts = [one.n for of_claim in found.values() for one in of_claim]
    if not counts:
        return ""
    lines = [f"Claims ({replicates(counts)}, paired; t-tests at 5 %, corrected over rounds): the ticket"]
    for name, of_claim in found.items():
        lines += [f"{CLAIMS[name].says}", f"  {'; '.join(_spans(of_claim))}"]
    match = sparsest(found.get("matches", []))
    if match:
        lines.append(f"The sparsest that surely matches keeps {percent(match.density)} % of the weights.")
    wrapped = (textwrap.fill(line, WIDTH, subsequent_indent=_indent(line)) for line in lines)
    return "\n".join(wrapped)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _spans(of_claim: Sequence[Verdict]) -> Iterator[str]:
    """Where it is supported and where refuted, by density; and whether the rest may be told."""
    for verdict in (SUPPORTED, REFUTED):
        groups = itertools.groupby(of_claim, lambda one: one.verdict)
        if spans := [_span(list(rounds)) for found, rounds in groups if found == verdict]:
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
