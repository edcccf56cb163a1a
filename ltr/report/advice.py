"""What to do next with a run: which verdicts are open, what would decide them, and what that costs."""

import shlex
import textwrap
from collections.abc import Iterator, Sequence

import pandas as pd

from ltr.analysis.claims import UNDECIDED
from ltr.analysis.verdicts import Verdict, cost
from ltr.config.schema import Experiment
from ltr.report.progress import duration
from ltr.report.summary_text import Found
from ltr.report.text_table import WIDTH
from ltr.store.looks import Look

AFFORDABLE = 100
"""More replicates than this are not advised: the effect is too small to be worth telling."""


def caveats(results: pd.DataFrame, experiment: Experiment) -> Iterator[str]:
    """What makes a run say less than it seems to, each in a line that names the knob."""
    if len(results) and results["censored"].all():
        steps, every = experiment.steps, experiment.eval_every
        rare = steps.unit == every.unit and every.amount >= steps.amount
        knob = f"lower eval_every={every}" if rare else f"raise steps={steps}"
        yield (
            "Every training ended before its validation loss had turned: early stops are lower bounds, and "
            f"no replicates can tell which is faster; {knob}."
        )


def advice(found: Found, looks: Sequence[Look], words: Sequence[str], seconds: float) -> str:
    """What would probably decide the verdicts that are open, and the command for it, with its time.

    Empty where all are decided, or nothing is claimed.

    Args:
        found: what the looks decide.
        looks: those that were taken at the run.
        words: `key=value`, by which the run was asked for.
        seconds: that a replicate takes on this machine.
    """
    verdicts = [one for of_claim in found.values() for one in of_claim]
    still_open = [one for one in verdicts if one.verdict == UNDECIDED]
    if not still_open:
        return ""
    needed = [one.needed for one in still_open if one.needed is not None and one.needed <= AFFORDABLE]
    said = f"{len(still_open)} of {len(verdicts)} verdicts are open."
    if not needed:
        return textwrap.fill(f"{said} {_hopeless(still_open)}", WIDTH)
    replicates, taken = max(needed), _looks_at_open_claims(found, looks)
    said += (
        f" {replicates} replicates would probably decide {len(needed)} of them. Looking again has its price: "
        f"p then counts {cost(taken)} times instead of {cost(taken - 1)}."
    )
    if tickets := [word for word in words if word.startswith("ticket=")]:
        said += f" The run that the tickets are of ({', '.join(tickets)}) has to have as many first."
    more = replicates - max(one.n for one in verdicts)
    again = _command(words, replicates)
    return f"{textwrap.fill(said, WIDTH)}\n{again}  # about {duration(more * seconds)}"


def _looks_at_open_claims(found: Found, looks: Sequence[Look]) -> int:
    """The most looks at any claim that is open: claims of arms that came later have fewer."""
    still_open = [name for name, of in found.items() if any(one.verdict == UNDECIDED for one in of)]
    return max(sum(name in look.claims for look in looks) for name in still_open)


def _hopeless(still_open: Sequence[Verdict]) -> str:
    """Why no number of replicates is advised."""
    if all(one.n < 2 for one in still_open):
        return "One replicate says nothing of chance; type replicates=8."
    return f"Even {AFFORDABLE} replicates would probably leave them so."


def _command(words: Sequence[str], replicates: int) -> str:
    """The command that was typed, with so many replicates."""
    others = [word for word in words if not word.startswith(("replicates=", "claims.most="))]
    return shlex.join(["ltr", "run", *others, f"replicates={replicates}"])
