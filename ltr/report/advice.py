"""Advice on a run: its open verdicts, the replicates that would decide them, and their cost."""

import shlex
import textwrap
from collections.abc import Iterator, Sequence

import pandas as pd

from ltr.analysis.claims import UNDECIDED
from ltr.analysis.inference import FEWEST
from ltr.analysis.verdicts import Verdict, deciding, price
from ltr.config.schema import Experiment
from ltr.core.plural import is_or_are, number_of
from ltr.report.findings import Verdicts
from ltr.report.progress import duration
from ltr.report.text_table import WIDTH
from ltr.store.chains import has_result
from ltr.store.looks import Look

AFFORDABLE = 100
"""Largest number of replicates to advise; an effect that needs more is too small to matter."""


def caveats(results: pd.DataFrame, experiment: Experiment) -> Iterator[str]:
    """Yield a sentence for each limitation of a run's results, with the knob that removes it."""
    trained = results[has_result(results)]
    if len(trained) and trained["censored"].all():
        steps, every = experiment.steps, experiment.eval_every
        rare = steps.unit == every.unit and every.amount >= steps.amount
        knob = f"lower eval_every={every}" if rare else f"raise steps={steps}"
        yield (
            "In every training the validation loss was still falling at the last step: early stops are lower "
            f"bounds, and more replicates cannot show which is faster; {knob}."
        )


def advice(by_claim: Verdicts, looks: Sequence[Look], words: Sequence[str], seconds: float) -> str:
    """Return the number of replicates that would probably decide the open verdicts, and its command.

    Empty if all verdicts are decided, or no claim was tested.

    Args:
        by_claim: verdicts of the looks at the run.
        looks: all looks at the run.
        words: `key=value` arguments of the command.
        seconds: duration of a replicate on this machine.
    """
    verdicts = [verdict for of_claim in by_claim.values() for verdict in of_claim]
    still_open = [verdict for verdict in verdicts if verdict.verdict == UNDECIDED]
    if not still_open:
        return ""
    needed = [
        verdict.needed
        for verdict in still_open
        if verdict.needed is not None and verdict.needed <= AFFORDABLE
    ]
    text = f"{len(still_open)} of {number_of(len(verdicts), 'verdict')} {is_or_are(len(still_open))} open."
    if not needed:
        return textwrap.fill(f"{text} {_reason_for_none(still_open)}", WIDTH)
    replicates, taken = max(needed), _looks_at_open_claim(by_claim, looks)
    text += f" {replicates} replicates would probably decide {len(needed)} of them."
    if counted := deciding(taken):
        last = price(taken[: taken.index(counted[-1])])
        text += f" A further look costs power: p-values are then multiplied by {price(taken)}, not by {last}."
    if tickets := [word for word in words if word.startswith("ticket=")]:
        text += f" The run that the tickets come from ({', '.join(tickets)}) needs as many replicates first."
    more = replicates - max(verdict.n + verdict.lost for verdict in verdicts)
    again = _command(words, replicates)
    return f"{textwrap.fill(text, WIDTH)}\n{again}  # about {duration(more * seconds)}"


def _looks_at_open_claim(by_claim: Verdicts, looks: Sequence[Look]) -> list[Look]:
    """Return the looks at the open claim with most looks; claims about arms added later have fewer."""
    still_open = [
        name
        for name, of_claim in by_claim.items()
        if any(verdict.verdict == UNDECIDED for verdict in of_claim)
    ]
    return max(([look for look in looks if name in look.claims] for name in still_open), key=len)


def _reason_for_none(still_open: Sequence[Verdict]) -> str:
    """Return why no number of replicates is advised."""
    if all(verdict.n < FEWEST for verdict in still_open) and any(verdict.lost for verdict in still_open):
        return f"Fewer than {FEWEST} replicates have results to compare."
    if all(verdict.n < 2 for verdict in still_open):
        return f"One replicate says nothing about chance; type replicates={Experiment().replicates}."
    return f"Even {AFFORDABLE} replicates would probably not decide them."


def _command(words: Sequence[str], replicates: int) -> str:
    """Return the command that was typed, with another number of replicates."""
    others = [word for word in words if not word.startswith(("replicates=", "claims.most="))]
    return shlex.join(["ltr", "run", *others, f"replicates={replicates}"])
