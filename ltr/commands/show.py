"""Show what a run found: settings, accuracy and early stop by round, claims."""

import argparse
import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ltr.commands.found import add_output_root, add_run
from ltr.errors import LtrError
from ltr.report import stdout
from ltr.store.catalog import DAMAGED, INFO, Run, find

if TYPE_CHECKING:
    import pandas as pd

    from ltr.config import Experiment

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
           round density, verdict (supported, refuted, undecided), effect (a
           mean difference over replicates) and unit (fraction, log2 steps),
           low, high and bootstrap_low, bootstrap_high (95 % intervals), p
           (corrected over the rounds), n, needed (replicates that would
           probably decide it)
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
    from ltr.knobs import parse

    run = find(args.output_root, args.run)
    if run.info["status"] == DAMAGED:
        raise LtrError(f"{run.folder / INFO}: damaged")
    experiment = parse(run.config)
    results = _results(run, experiment)
    said = _describe(run, experiment)
    stdout.write(_json(said, results) if args.json else _text(said, results, experiment.early_bird))
    return 0


def _results(run: Run, experiment: "Experiment") -> "pd.DataFrame":
    from ltr.analysis.summary import select
    from ltr.store import tables

    try:
        return select(tables.read(run.folder, "results"), experiment)
    except (OSError, ValueError) as error:
        raise LtrError(f"{run.folder / 'results.parquet'}: cannot be read: {error}") from error


def _describe(run: Run, experiment: "Experiment") -> dict[str, Any]:
    """The `run` of the JSON."""
    figures = sorted((run.folder / "figures").glob("*.*"))
    return {
        "id": run.id,
        "folder": str(run.folder),
        "dataset": run.dataset,
        "model": run.model,
        "status": run.info["status"],
        "written": run.written.isoformat(timespec="seconds"),
        "settings": _settings(experiment),
        "figures": [str(path) for path in figures],
    }


def _settings(experiment: "Experiment") -> dict[str, Any]:
    """The knobs that are not at their default, by dotted name; of arms, those that were asked for."""
    from ltr.config import Arm, Experiment, to_dict

    schema = Experiment()
    arms = {name: schema.arm.get(name, Arm()) for name in experiment.arms}
    default = dict(_flat(to_dict(dataclasses.replace(schema, arm=arms))))
    asked = dataclasses.replace(experiment, arm={name: experiment.arm.get(name, Arm()) for name in arms})
    return {name: value for name, value in _flat(to_dict(asked)) if value != default[name]}


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _text(run: Mapping[str, Any], results: "pd.DataFrame", watched: bool) -> str:
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
        parts += [accuracy_table(summary), *other_tables(summary, watched), claims_text(results)]
    parts += [textwrap.fill(finding(results), 80), "\n".join(run["figures"])]
    return "\n\n".join(part for part in parts if part)


def _json(run: Mapping[str, Any], results: "pd.DataFrame") -> str:
    from ltr.report.claims import claims
    from ltr.report.finding import finding
    from ltr.report.rounds import rounds

    found = {"rounds": rounds(results), "finding": finding(results), "claims": claims(results)}
    return json.dumps({"run": run, **found}, indent=2)
