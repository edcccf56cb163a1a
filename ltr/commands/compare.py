"""Compare runs: the knobs that differ, and an arm's accuracy at each density.

The first run is what the others are compared with. Where another has its
data, network, seed, tickets and batch size, differences are paired by
replicate, and means are over the replicates that all such runs have; otherwise
those of both are independent (Welch's interval). Where rounds come to other
densities, as 51.6 and 50.5 %, each is beside the nearest of the first run that
is within a tenth of it; both are shown.

With --json one object: runs, each with run (its folder), paired and the
knobs that differ (null at the default), and rows, each with run (its place in
runs), round, density, n, accuracy, accuracy_ci95, early_stop_step,
early_stop_step_ci95, censored, difference, difference_ci95, difference_n (how
many pairs; of independent runs the fewer replicates), p (that there is no
difference, corrected over the run's rounds) and beside_density (of the first
run), fractions, null where there is none. --csv has the same rows.

Examples:
  ltr compare 3f2a91bc07 last
  ltr compare 3f2a91bc07 last --arm random_reinit --md
"""

import argparse
import json

from ltr.commands.options import add_output_root, load_different
from ltr.errors import ConfigError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("run", metavar="RUN", nargs="+", help="as in ltr show; the first is the baseline")
    parser.add_argument("--arm", default="ticket", help="whose rounds are compared (default: ticket)")
    add_output_root(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object: runs, rows")
    form.add_argument("--csv", action="store_true", help="print the rows as CSV")
    form.add_argument("--md", action="store_true", help="print a Markdown table")


def execute(args: argparse.Namespace) -> int:
    """Print the comparison."""
    from ltr.analysis.comparison import compare, in_common
    from ltr.report import comparison, console
    from ltr.report.formatting import plain_rows
    from ltr.store.settings import paired, settings

    if len(args.run) < 2:
        raise ConfigError(f"{args.run[0]}: is one run; name two or more to compare (ltr show shows one)")
    runs = load_different(args.run, args.output_root)
    experiments, results = [run.experiment for run in runs], [run.results for run in runs]
    for run, table in zip(runs, results, strict=True):
        if args.arm not in set(table["arm"]):
            known = ", ".join(sorted(set(table["arm"]))) or "none yet"
            raise ConfigError(f"--arm={args.arm}: {run.folder} has {known}")
    is_paired = paired(experiments)
    rows = compare(results, args.arm, is_paired)
    knobs = comparison.differing([settings(one) for one in experiments])
    named = [
        {"run": str(run.folder), "paired": one, **of}
        for run, one, of in zip(runs, is_paired, knobs, strict=True)
    ]
    if args.json:
        console.write(json.dumps({"runs": named, "rows": plain_rows(rows)}, indent=2))
    elif args.csv:
        console.write(rows.to_csv(index=False).rstrip("\n"))
    else:
        tables = results, in_common(results, args.arm, is_paired)
        counts = ([table["replicate"].nunique() for table in which] for which in tables)
        write = comparison.markdown if args.md else comparison.text
        console.write(write(named, rows, args.arm, comparison.shared_replicates(*counts)))
    return 0
