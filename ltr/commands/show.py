"""Show what a run found: settings, accuracy and early stop by round, claims."""

import argparse
import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ltr.commands.found import add_output_root, add_run, settings
from ltr.report import stdout

if TYPE_CHECKING:
    import pandas as pd

    from ltr.config import Experiment
    from ltr.loaded import LoadedRun

EPILOG = """\
example:
  ltr show last

With --json one object:
  run      id, folder, dataset, model, status, written (when last), settings
           (those that are not at their default, by dotted name), figures
           (paths)
  rounds   a list, each with round, density, and arms: for each arm density,
           accuracy, ci95 (half-width of its 95 % confidence interval),
           final_accuracy, final_ci95, early_stop_step, early_stop_ci95,
           early_bird_step (of tickets), censored (lanes whose early stop is
           only a lower bound), lanes, n (replicates)
  finding  sentences
  claims   a list, each with claim (its name), says, and rounds: for each
           that is tested (claims.densities) round, density, verdict
           (supported, refuted, undecided), effect (a mean difference over
           replicates) and unit (fraction, log2 steps), low, high and
           bootstrap_low, bootstrap_high (95 % intervals), p (corrected over
           rounds and looks), n, needed (replicates that would probably decide
           it); none where trained weights are kept (rewind=fine_tune, say)
Accuracies are of the test set, those without a name at early stop; like
densities they are fractions. A number that there is not, as the interval of
one replicate, is null."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_run(parser)
    add_output_root(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print what the run found, of the rounds, replicates and arms that were asked for last."""
    from ltr import loaded

    run = loaded.load(args.run, args.output_root)
    stdout.write((_json if args.json else _text)(_describe(run), run.results, run.experiment))
    return 0


def _describe(of: "LoadedRun") -> dict[str, Any]:
    """The `run` of the JSON."""
    run = of.run
    return {
        "id": run.id,
        "folder": str(run.folder),
        "dataset": run.dataset,
        "model": run.model,
        "status": run.info["status"],
        "written": run.written.isoformat(timespec="seconds"),
        "settings": settings(of.experiment),
        "figures": [str(path) for path in sorted((run.folder / "figures").glob("*.*"))],
    }


def _text(run: Mapping[str, Any], results: "pd.DataFrame", experiment: "Experiment") -> str:
    from ltr.analysis.claims import of_run
    from ltr.analysis.summary import by_round
    from ltr.report.claims import claims_text
    from ltr.report.finding import finding
    from ltr.report.tables import accuracy_table, other_tables

    settings = [f"{name}={value}" for name, value in run["settings"].items()] or [
        "every setting at its default"
    ]
    parts = [f"{run['folder']}  {run['status']}", textwrap.fill("  ".join(settings), 80)]
    if len(results):
        summary = by_round(results)
        parts += [accuracy_table(summary), *other_tables(summary, experiment.early_bird)]
        parts += [claims_text(of_run(results, experiment), experiment.claims)]
    parts += [textwrap.fill(finding(results), 80), "\n".join(run["figures"])]
    return "\n\n".join(part for part in parts if part)


def _json(run: Mapping[str, Any], results: "pd.DataFrame", experiment: "Experiment") -> str:
    from ltr.analysis.claims import of_run
    from ltr.report.claims import claims
    from ltr.report.finding import finding
    from ltr.report.rounds import rounds

    found = {"rounds": rounds(results), "finding": finding(results)}
    found["claims"] = claims(of_run(results, experiment))
    return json.dumps({"run": run, **found}, indent=2)
