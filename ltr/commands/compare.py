"""Compare runs: knobs that differ, an arm's accuracy at each density, or searches.

The first run is the baseline. Differences from a run with the same data,
network, seed, tickets and batch size are paired by replicate, and means are
over the replicates that all such runs have. Other runs are independent (Welch's
interval). Rounds of unequal density, such as 51.6 and 50.5 %, are compared with
the nearest round of the first run if its density is within a tenth; both
densities are shown.

With --race, or for one run, the searches for masks are compared, at each of the
control_rounds of the first run (or where its claims are tested): accuracy, cost
of the search in trainings of the dense network, difference from its ticket, and
whether it is as good (docs/concepts.md, "The race of searches").

With --json one object: runs, each with run (its folder), paired and the
knobs that differ (null at the default), and rows, each with run (its place in
runs), round, density, n, accuracy, accuracy_ci95, early_stop_step,
early_stop_step_ci95, censored, diverged (lanes that are left out), difference,
difference_ci95, difference_n (number of pairs, or the smaller number of
replicates of independent runs), p (p-value of no difference, corrected over the
run's rounds) and beside_density (density of the first run). Accuracies and
densities are fractions; missing values are null. --csv prints the same rows.
Those of a race have run, round, density (of the ticket), arm, arm_density, n,
lost (replicates without a result), accuracy, accuracy_ci95, cost (in trainings
of the first run's dense network), cost_seconds, times_less (than the ticket's),
difference (from the ticket), difference_interval (half-width; the intervals of
a density hold together), pairs, verdict (as good, worse, undecided; empty for
the ticket) and on_front (whether nothing cheaper is as accurate).

Examples:
  ltr compare 3f2a91bc07 last
  ltr compare 3f2a91bc07 last --arm random_reinit --md
  ltr compare last --race
"""

import argparse
import json

from ltr.commands.options import add_output_root, load_different


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr compare`."""
    parser.add_argument("run", metavar="RUN", nargs="+", help="as in ltr show; the first is the baseline")
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument("--arm", default="ticket", help="arm to compare (default: ticket)")
    subject.add_argument("--race", action="store_true", help="compare searches by accuracy and cost")
    add_output_root(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object: runs, rows")
    form.add_argument("--csv", action="store_true", help="print the rows as CSV")
    form.add_argument("--md", action="store_true", help="print a Markdown table")


def execute(args: argparse.Namespace) -> int:
    """Print the comparison."""
    from ltr.analysis.search_race import is_race
    from ltr.api.compare import compared, raced
    from ltr.report import comparison, console, race
    from ltr.report.formatting import plain_rows

    runs = load_different(args.run, args.output_root)
    of_searches = args.race or (len(runs) == 1 and is_race(runs[0].experiment))
    result = raced(runs) if of_searches else compared(runs, args.arm)
    if args.json:
        rows = plain_rows(result.rows)
        console.write(json.dumps({"runs": result.runs, "rows": rows}, indent=2))
    elif args.csv:
        console.write(result.rows.to_csv(index=False).rstrip("\n"))
    elif of_searches:
        console.write((race.markdown if args.md else race.text)(result.rows, comparison.named(result.runs)))
    else:
        write = comparison.markdown if args.md else comparison.text
        console.write(write(result.runs, result.rows, args.arm, result.shared))
    return 0
