"""The claims and their verdicts, as plain data for JSON and as text."""

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.inference import FEWEST
from ltr.analysis.registry import CLAIMS
from ltr.analysis.verdicts import Verdict, sparsest
from ltr.report.formatting import listed, percent, replicates, without_nan
from ltr.report.summary_text import Found
from ltr.report.text_table import WIDTH
from ltr.store.looks import Look


def claims(found: Found) -> list[dict[str, Any]]:
    """Of each claim: `claim`, `says`, and `rounds` with the fields of `Verdict`, None for NaN."""
    return [
        {"claim": name, "says": CLAIMS[name].says, "rounds": [without_nan(one._asdict()) for one in of_claim]}
        for name, of_claim in found.items()
    ]


def claims_text(found: Found, looks: Sequence[Look]) -> str:
    """Every claim, and at which densities it is what; empty where nothing is claimed."""
    counts = [one.n for of_claim in found.values() for one in of_claim]
    if not counts:
        return ""
    lines = [f"Claims ({replicates(counts)}, paired; {how_tested(looks)}): the ticket"]
    for name, of_claim in found.items():
        lines += [f"{CLAIMS[name].says}", f"  {'; '.join(_spans(of_claim, _is_chosen(found)))}"]
    match = sparsest(found.get("matches", []))
    if match:
        lines.append(f"The sparsest that surely matches keeps {percent(match.density)} % of the weights.")
    wrapped = (textwrap.fill(line, WIDTH, subsequent_indent=_indent(line)) for line in lines)
    return "\n".join(wrapped)


def how_tested(looks: Sequence[Look]) -> str:
    """How claims are tested, and how often the run was looked at."""
    times = listed(str(look.replicates) for look in looks)
    after = f"{len(looks)} looks, after {times} replicates" if len(looks) > 1 else "1 look"
    return f"t-tests at 5 %, corrected over densities and {after}"


def _is_chosen(found: Found) -> bool:
    """Whether the rounds that are tested were chosen, and so are not all there are."""
    rounds = {one.round for of_claim in found.values() for one in of_claim}
    return rounds != set(range(1, max(rounds) + 1))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _spans(of_claim: Sequence[Verdict], is_chosen: bool) -> Iterator[str]:
    """Where it is supported and where refuted, by density; and what would tell the rest.

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
    """What would probably decide the first of these rounds."""
    needed = [one.needed for one in undecided if one.needed is not None]
    if all(one.n < FEWEST for one in undecided):
        return f" (fewer than {FEWEST} replicates decide nothing)"
    if needed:
        return f" ({min(needed)} replicates might tell{' some of it' if len(undecided) > 1 else ''})"
    if all(one.hidden for one in undecided):
        return " (trainings ended before their loss turned: steps are too few)"
    return ""
