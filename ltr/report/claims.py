"""The claims and their verdicts, as plain data for JSON and as text."""

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.inference import FEWEST
from ltr.analysis.registry import CLAIMS
from ltr.analysis.verdicts import Verdict, deciding, sparsest
from ltr.core.plural import number_of
from ltr.report.findings import Verdicts
from ltr.report.formatting import listed, percent, replicates, without_nan
from ltr.report.text_table import WIDTH
from ltr.store.looks import Look

LEFT_OUT = (
    "Replicates are left out where a compared lane diverged or its chain had ended; if that depends on the "
    "results, the mean is biased."
)


def claims(verdicts: Verdicts) -> list[dict[str, Any]]:
    """Return for each claim `claim`, `says`, and `rounds` with the fields of `Verdict`, None for NaN."""
    return [
        {
            "claim": name,
            "says": CLAIMS[name].says,
            "rounds": [without_nan(verdict._asdict()) for verdict in of_claim],
        }
        for name, of_claim in verdicts.items()
    ]


def claims_text(verdicts: Verdicts, looks: Sequence[Look]) -> str:
    """Return every claim with its verdicts and their densities; empty if no claim was tested."""
    counts = [verdict.n for of_claim in verdicts.values() for verdict in of_claim]
    if not counts:
        return ""
    lines = [f"Claims ({replicates(counts)}, paired; {how_tested(looks)}): the ticket"]
    for name, of_claim in verdicts.items():
        spans = [*_spans(of_claim, _is_chosen(verdicts)), *_left_out(of_claim), *_cut_off(of_claim)]
        lines += [f"{CLAIMS[name].says}", f"  {'; '.join(spans)}"]
    match = sparsest(verdicts.get("matches", []))
    if match:
        lines.append(f"The sparsest ticket known to match keeps {percent(match.density)} % of the weights.")
    if any(verdict.lost for of_claim in verdicts.values() for verdict in of_claim):
        lines.append(LEFT_OUT)
    wrapped = (textwrap.fill(line, WIDTH, subsequent_indent=_indent(line)) for line in lines)
    return "\n".join(wrapped)


def how_tested(looks: Sequence[Look]) -> str:
    """Describe the tests of the claims, the correction and the number of looks that count."""
    counted = deciding(looks)
    if not counted:
        return f"t-tests at 5 % from {FEWEST} replicates on"
    times = [str(look.replicates) for look in counted]
    after = f", after {listed(times)} replicates" if len(counted) > 1 else ""
    return f"t-tests at 5 %, corrected over densities and {number_of(len(counted), 'look')}{after}"


def _is_chosen(verdicts: Verdicts) -> bool:
    """Return whether only some rounds, chosen by `claims.densities`, are tested."""
    rounds = {verdict.round for of_claim in verdicts.values() for verdict in of_claim}
    return rounds != set(range(1, max(rounds) + 1))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _spans(of_claim: Sequence[Verdict], is_chosen: bool) -> Iterator[str]:
    """Yield the densities at which a claim is supported, refuted and undecided.

    Chosen rounds are listed one by one, because the rounds between them are not tested.
    """
    key = (lambda one: (one.verdict, one.round)) if is_chosen else (lambda one: (one.verdict, 0))
    for verdict in (SUPPORTED, REFUTED):
        groups = itertools.groupby(of_claim, key)
        if spans := [_span(list(rounds)) for (common, _), rounds in groups if common == verdict]:
            yield f"{verdict} at {', '.join(spans)} %"
    undecided = [verdict for verdict in of_claim if verdict.verdict == UNDECIDED]
    if undecided:
        where = "throughout" if len(undecided) == len(of_claim) else "elsewhere"
        yield f"{UNDECIDED} {where}{_missing(undecided)}"


def _left_out(of_claim: Sequence[Verdict]) -> Iterator[str]:
    """Yield the largest number of replicates that a verdict leaves out, if any does."""
    worst = max(of_claim, key=lambda verdict: verdict.lost)
    if worst.lost:
        up_to = "up to " if any(verdict.lost < worst.lost for verdict in of_claim) else ""
        yield f"{up_to}{worst.lost} of {number_of(worst.n + worst.lost, 'replicate')} left out"


def _cut_off(of_claim: Sequence[Verdict]) -> Iterator[str]:
    """Yield the densities at which networks without a path are compared, if there are any."""
    densities = [percent(verdict.density) for verdict in of_claim if verdict.disconnected]
    if densities:
        yield f"at {listed(densities)} % with networks that no path leads through"


def _span(rounds: Sequence[Verdict]) -> str:
    return " to ".join(dict.fromkeys(percent(verdict.density) for verdict in (rounds[0], rounds[-1])))


def _missing(undecided: Sequence[Verdict]) -> str:
    """Return in brackets what the verdicts lack: replicates or training steps."""
    needed = [verdict.needed for verdict in undecided if verdict.needed is not None]
    if all(verdict.n < FEWEST for verdict in undecided):
        return f" (fewer than {FEWEST} replicates decide nothing)"
    if needed:
        return f" ({min(needed)} replicates might decide {'some' if len(undecided) > 1 else 'it'})"
    if all(verdict.hidden for verdict in undecided):
        return " (the validation loss was still falling at the last step: too few steps)"
    return ""
