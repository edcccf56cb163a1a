"""Show the results of a run: settings, accuracy and early stop by round, claims."""

import argparse
import contextlib
import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ltr.commands.options import add_output_root, add_run, load
from ltr.core.plural import number_of
from ltr.plugins import lacking
from ltr.report import console
from ltr.report.text_table import WIDTH

if TYPE_CHECKING:
    from ltr.api.loaded import LoadedRun

EPILOG = """\
examples:
  ltr show last
  ltr show last --round 15

All rounds, replicates, arms and draws of the run are shown, also if the last
command requested fewer.

With --round, the sizes of files of that ticket are shown: with all weights,
without units that have no incoming or no outgoing weights, and with kernels as
compressed sparse rows. The operations of a forward pass follow, and the outputs
and the dead units of each layer: units that lie on no path of kept weights from
an input to an output. Its --json has round, replicate, dense, compact, sparse
(bytes), operations, operations_dense, outputs, reached_outputs, dead_units (by
layer), diverged_step (null if its training did not diverge). Values that are
not known are null.

With --json one object:
  run      id, folder, dataset, model, status, error (that it failed by; null if
           it did not), command (that resumes it; null if it needs none or
           cannot be resumed), obstacle (plug-in that it lacks for that; null if
           none), written (time of the last change), settings (knobs that are
           not at their default, by dotted name), plugins (versions that it was
           trained with, by package), figures (paths)
  rounds   a list, each with round, density, and arms: for each arm density,
           accuracy, ci95 (half-width of its 95 % confidence interval),
           final_accuracy, final_ci95, early_stop_step, early_stop_ci95,
           early_bird_step (tickets only), dead_units (mean; units on no path of
           kept weights from an input to an output, null if unknown), censored
           (lanes whose early stop is only a lower bound), lanes, diverged
           (lanes that means leave out), disconnected (lanes in which no path
           leads from an input to an output), n (replicates with a result)
  ended    a list of the replicates whose later rounds are not trained, each
           with replicate, round, step (at which its ticket had diverged) and
           layer (that pruning emptied); one of the two is null
  finding  the verdicts of the claims, in sentences
  means    the means of the sparsest ticket and its controls, in sentences,
           without a test
  claims   a list, each with claim (its name), says (its sentence), and rounds:
           for each tested round (claims.densities) round, density, verdict
           (supported, refuted, undecided), effect (a mean difference over
           replicates) and unit (fraction, log2 steps), low, high and
           bootstrap_low, bootstrap_high (95 % intervals), p (corrected over
           rounds and looks), n, needed (replicates that would probably decide
           it), hidden (whether censoring forbids a verdict), lost (replicates
           left out, as a compared lane diverged or its chain had ended),
           disconnected (replicates in which no path of kept weights leads
           through a compared network); empty if trained weights are kept (such
           as with rewind=fine_tune), or before the run is finished for the
           first time
  looks    a list of the occasions on which verdicts were given, each with
           replicates, draws (by arm), rounds and claims; later p-values are
           corrected for them
  variance a list, for a run that crosses initial weights, data orders and masks
           (else empty; null without the extra variance), each with measure
           (accuracy, early_stop_step), round, density, levels (of each factor),
           cells, lost (cells without a result), mean, deviation (the standard
           one of a cell), own_gain and own_gain_ci95 (what a mask gains on the
           initial weights that it was found with), and shares: component,
           factors, share, low and high (95 % interval)
Accuracies are test accuracies, at early stop unless the name says final. Like
densities they are fractions. A missing number, such as the interval of one
replicate, is null."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr show`."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_run(parser)
    add_output_root(parser)
    parser.add_argument(
        "--round", type=int, metavar="N", help="show the size, operations and dead units of its ticket"
    )
    parser.add_argument(
        "--replicate", type=int, default=0, metavar="N", help="replicate of the ticket (default: 0)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print the results of everything ever requested for the run."""
    run = load(args.run, args.output_root)
    if args.round is not None:
        sizes = _ticket(run, args.round, args.replicate)
        console.write(json.dumps(sizes, indent=2) if args.json else _ticket_text(sizes))
        return 0
    console.write((_json if args.json else _text)(_describe(run), run))
    return 0


def _ticket(run: "LoadedRun", round_number: int, replicate: int) -> dict[str, Any]:
    """Return a ticket's sizes in a file, in bytes, the operations of a forward pass, and its paths."""
    import numpy as np

    from ltr import export
    from ltr.data.dataset import describe
    from ltr.errors import LtrError
    from ltr.models.paths import PathFinder

    model, ticket = run.model, run.ticket(round_number, replicate)
    shape = describe(run.experiment.dataset).shape
    images = np.random.default_rng(0).normal(size=(100, *shape)).astype(np.float32)

    def network(images: "np.ndarray") -> "np.ndarray":
        return np.asarray(model.apply(ticket.trained, images))

    narrower, diverged_step = None, run.diverged_step(round_number, replicate)
    if diverged_step is None:
        with contextlib.suppress(LtrError):  # compaction does not support this network
            narrower = export.named(export.checked(ticket.trained, network, images))
    sizes = export.sizes(
        export.named(ticket.trained),
        export.named(ticket.mask),
        export.named(model.uses),
        dict(export.leaves(model.kernels)),
        narrower,
    )
    paths = PathFinder(model, shape)(ticket.mask)
    return {
        "round": round_number,
        "replicate": replicate,
        **sizes._asdict(),
        "outputs": describe(run.experiment.dataset).classes,
        "reached_outputs": paths.outputs,
        "dead_units": dict(paths.dead_units),
        "diverged_step": diverged_step,
    }


def _ticket_text(sizes: Mapping[str, Any]) -> str:
    from ltr.report.text_table import facts

    size = {
        form: "unknown" if sizes[form] is None else f"{sizes[form]:,} bytes"
        for form in ("dense", "compact", "sparse")
    }
    operations = "unknown"
    if sizes["operations"] is not None:
        share = sizes["operations"] / sizes["operations_dense"]
        operations = f"{sizes['operations']:,} operations of {sizes['operations_dense']:,} ({share:.1%})"
    rows = {
        "all weights": size["dense"],
        "without dead units": size["compact"],
        "rows of kept weights": size["sparse"],
        "an image costs": operations,
        "outputs reached": _reached(sizes),
        "dead units": _dead(sizes["dead_units"]),
    }
    if sizes["diverged_step"] is not None:
        rows["diverged"] = f"at step {sizes['diverged_step']}; it has no result"
    title = f"Ticket of round {sizes['round']}, replicate {sizes['replicate']}, in float32:"
    return f"{title}\n{textwrap.indent(facts(rows), '  ')}"


def _reached(sizes: Mapping[str, Any]) -> str:
    """Say how many outputs a path of kept weights leads to."""
    if sizes["reached_outputs"] is None:
        return "unknown"
    reached = f"{sizes['reached_outputs']} of {sizes['outputs']}"
    return reached if sizes["reached_outputs"] else f"{reached}: every image gets the same answer"


def _dead(by_layer: Mapping[str, int | None]) -> str:
    """Return the number of dead units of each layer that has any, or in which it is unknown."""
    known = {layer: count for layer, count in by_layer.items() if count is not None}
    parts = [f"{layer} {count}" for layer, count in known.items() if count] if known else []
    if unknown := len(by_layer) - len(known):
        parts.append(f"unknown in {number_of(unknown, 'layer')}")
    return ", ".join(parts) or "none"


def _describe(run: "LoadedRun") -> dict[str, Any]:
    """Return `run` of the JSON."""
    from ltr.report.runs import head
    from ltr.store.fetching import fetch_below
    from ltr.store.settings import settings

    fetch_below(run.folder, "figures")
    return {
        **head(run.run),
        "settings": settings(run.experiment),
        "plugins": {name: sorted(versions) for name, versions in run.run.plugins.items()},
        "figures": [str(path) for path in sorted((run.folder / "figures").glob("*.*"))],
    }


def _text(description: Mapping[str, Any], run: "LoadedRun") -> str:
    from ltr.analysis.summary import by_round
    from ltr.config.literals import literal
    from ltr.report import race, variance
    from ltr.report.claims import claims_text
    from ltr.report.outcome import sentences
    from ltr.report.runs import ended
    from ltr.report.tables import accuracy_table, other_tables

    settings = [f"{name}={literal(value)}" for name, value in description["settings"].items()] or [
        "every setting at its default"
    ]
    status = f"{description['folder']}  {ended(description)}"
    if description["command"]:
        status += f"; resume it with:\n{description['command']}"
    if description["obstacle"]:
        status += f"; cannot be resumed: {description['obstacle']}"
    problem = "" if description["obstacle"] else lacking(description["plugins"])
    parts = [status, textwrap.fill("  ".join(settings), WIDTH), _plugins(description["plugins"], problem)]
    if len(run.results):
        summary = by_round(run.results)
        parts += [accuracy_table(summary), *other_tables(summary, run.experiment.early_bird)]
        parts += [claims_text(run.verdicts, run.looks), race.text(run.race)]
    parts += sentences(run.results, run.experiment, run.verdicts)
    parts += ["\n".join(description["figures"]), variance.text(run.results, run.experiment)]
    return "\n\n".join(part for part in parts if part)


def _plugins(used: Mapping[str, list[str]], problem: str) -> str:
    """Return the plug-ins that a run was trained with, and the problem that one of them has."""
    if not used:
        return ""
    named = ", ".join(f"{name} {' and '.join(versions)}" for name, versions in used.items())
    return f"trained with {named}" + (f"\n{problem}" if problem else "")


def _json(description: Mapping[str, Any], run: "LoadedRun") -> str:
    from ltr.analysis.search_race import raced
    from ltr.report import variance
    from ltr.report.claims import claims
    from ltr.report.findings import headline, untested_means
    from ltr.report.rounds import rounds

    content = {
        "run": description,
        "rounds": rounds(run.results),
        "ended": [end._asdict() for _, end in sorted(run.ended.items())],
        "finding": headline(run.results, run.verdicts, run.experiment),
        "means": untested_means(run.results, raced(run.experiment)),
        "claims": claims(run.verdicts),
        "looks": [look._asdict() for look in run.looks],
        "variance": variance.plain(run.results, run.experiment),
    }
    return json.dumps(content, indent=2)
