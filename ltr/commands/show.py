"""Show what a run found: settings, accuracy and early stop by round, claims."""

import argparse
import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ltr.commands.options import add_output_root, add_run, load
from ltr.plugins import lacking
from ltr.report import console
from ltr.report.text_table import WIDTH

if TYPE_CHECKING:
    from ltr.loaded import LoadedRun

EPILOG = """\
examples:
  ltr show last
  ltr show last --round 15

Of a run that was asked for more and then for less, everything is shown: a
command that asks for less trains nothing and changes nothing.

With --round, what that ticket weighs in a file: with all its weights,
without the units that nothing reaches or that reach nothing, and with kernels
in compressed rows; and the operations of a forward pass. Its --json has round,
replicate, dense, compact, sparse (bytes), operations and operations_dense.

With --json one object:
  run      id, folder, dataset, model, status, command (that it goes on
           with; null if it needs none), written (when last), settings
           (those that are not at their default, by dotted name), plugins
           (versions that it was trained with, by package), figures (paths)
  rounds   a list, each with round, density, and arms: for each arm density,
           accuracy, ci95 (half-width of its 95 % confidence interval),
           final_accuracy, final_ci95, early_stop_step, early_stop_ci95,
           early_bird_step (of tickets), censored (lanes whose early stop is
           only a lower bound), lanes, n (replicates)
  finding  what the claims have decided, in sentences
  means    the means of the sparsest ticket and its controls, in sentences;
           nothing of them is tested
  claims   a list, each with claim (its name), says, and rounds: for each
           that is tested (claims.densities) round, density, verdict
           (supported, refuted, undecided), effect (a mean difference over
           replicates) and unit (fraction, log2 steps), low, high and
           bootstrap_low, bootstrap_high (95 % intervals), p (corrected over
           rounds and looks), n, needed (replicates that would probably decide
           it), hidden (whether censoring forbids a verdict); none where trained
           weights are kept (rewind=fine_tune, say), or before the run is
           finished for the first time
  looks    a list, each with replicates, draws (by arm), rounds and claims: each
           time verdicts were given, for which later ones allow
Accuracies are of the test set, those without a name at early stop; like
densities they are fractions. A number that there is not, as the interval of
one replicate, is null."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_run(parser)
    add_output_root(parser)
    parser.add_argument("--round", type=int, metavar="N", help="say what its ticket weighs and costs to use")
    parser.add_argument("--replicate", type=int, default=0, metavar="N", help="of which (default: 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print what the run found, of all that it was ever asked for."""
    run = load(args.run, args.output_root)
    if args.round is not None:
        said = _ticket(run, args.round, args.replicate)
        console.write(json.dumps(said, indent=2) if args.json else _ticket_text(said))
        return 0
    console.write((_json if args.json else _text)(_describe(run), run))
    return 0


def _ticket(run: "LoadedRun", round_number: int, replicate: int) -> dict[str, Any]:
    """What a ticket weighs in a file, and what it costs to use."""
    import numpy as np

    from ltr import export
    from ltr.data.dataset import describe
    from ltr.errors import LtrError
    from ltr.models.registry import build

    run.require_plugins()
    ticket, experiment = run.ticket(round_number, replicate), run.experiment
    facts = describe(experiment.dataset)
    model = build(experiment.model, facts.shape, facts.classes)
    images = np.random.default_rng(0).normal(size=(100, *facts.shape)).astype(np.float32)

    def network(images: "np.ndarray") -> "np.ndarray":
        return np.asarray(model.apply(ticket.trained, images))

    try:
        narrower = export.named(export.proven(ticket.trained, network, images))
    except LtrError:  # not a network of which it is known how to make it narrower
        narrower = None
    found = export.sizes(
        export.named(ticket.trained), export.named(ticket.mask), export.named(model.uses), narrower
    )
    return {"round": round_number, "replicate": replicate, **found._asdict()}


def _ticket_text(said: Mapping[str, Any]) -> str:
    from ltr.report.text_table import facts

    compact = "unknown" if said["compact"] is None else f"{said['compact']:,} bytes"
    operations = "unknown"
    if said["operations"] is not None:
        share = said["operations"] / said["operations_dense"]
        operations = f"{said['operations']:,} operations of {said['operations_dense']:,} ({share:.1%})"
    rows = {
        "all weights": f"{said['dense']:,} bytes",
        "without dead units": compact,
        "rows of kept weights": f"{said['sparse']:,} bytes",
        "an image costs": operations,
    }
    title = f"Ticket of round {said['round']}, replicate {said['replicate']}, in float32:"
    return f"{title}\n{textwrap.indent(facts(rows), '  ')}"


def _describe(of: "LoadedRun") -> dict[str, Any]:
    """The `run` of the JSON."""
    from ltr.report.runs import head
    from ltr.store.settings import settings

    return {
        **head(of.run),
        "settings": settings(of.experiment),
        "plugins": {name: sorted(versions) for name, versions in of.run.plugins.items()},
        "figures": [str(path) for path in sorted((of.folder / "figures").glob("*.*"))],
    }


def _text(run: Mapping[str, Any], of: "LoadedRun") -> str:
    from ltr.analysis.summary import by_round
    from ltr.report.claims import claims_text
    from ltr.report.command_line import word
    from ltr.report.outcome import sentences
    from ltr.report.tables import accuracy_table, other_tables

    settings = [f"{name}={word(value)}" for name, value in run["settings"].items()] or [
        "every setting at its default"
    ]
    status = f"{run['folder']}  {run['status']}"
    if run["command"]:
        status += f"; it goes on with:\n{run['command']}"
    parts = [status, textwrap.fill("  ".join(settings), WIDTH), _plugins(run["plugins"])]
    if len(of.results):
        summary = by_round(of.results)
        parts += [accuracy_table(summary), *other_tables(summary, of.experiment.early_bird)]
        parts += [claims_text(of.verdicts, of.looks)]
    parts += [*sentences(of.results, of.experiment, of.verdicts), "\n".join(run["figures"])]
    return "\n\n".join(part for part in parts if part)


def _plugins(used: Mapping[str, list[str]]) -> str:
    """The plug-ins that a run was trained with, and whether one of them is not there."""
    if not used:
        return ""
    named = ", ".join(f"{name} {' and '.join(versions)}" for name, versions in used.items())
    problem = lacking(used)
    return f"trained with {named}" + (f"\n{problem}" if problem else "")


def _json(run: Mapping[str, Any], of: "LoadedRun") -> str:
    from ltr.report.claims import claims
    from ltr.report.rounds import rounds
    from ltr.report.summary_text import by_the_means, headline

    found = {
        "rounds": rounds(of.results),
        "finding": headline(of.results, of.verdicts, of.experiment),
        "means": by_the_means(of.results),
        "claims": claims(of.verdicts),
        "looks": [look._asdict() for look in of.looks],
    }
    return json.dumps({"run": run, **found}, indent=2)
