"""Write a page about one run or several: conclusions, claims, figures.

The page is one HTML file that needs no network: it opens from disk, also on a
phone, and can be printed. For several runs it compares the tickets first, and
shows each run after that.

Examples:
  ltr report last
  ltr report 3f2a91bc07 last --output sweep.html
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ltr.commands.options import add_output_root, load_different
from ltr.commands.output_file import add_output, require_inside, require_own
from ltr.errors import ConfigError, LtrError
from ltr.faults import unwritable

if TYPE_CHECKING:
    from ltr.analysis.mask_structure import TicketLayers
    from ltr.analysis.variance import Variance
    from ltr.api.loaded import LoadedRun
    from ltr.report.page import Subject

MARK = b'<meta name="generator" content="ltr">'
"""Part of each page."""

MOST_TICKETS = 8
"""Largest number of replicates whose masks are read; more would hardly change the means."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr report`."""
    parser.add_argument("run", metavar="RUN", nargs="+", help="as in ltr show; the first is the baseline")
    add_output(parser, "the file (default: report.html in the run's folder; for several, in the output root)")
    add_output_root(parser)


def execute(args: argparse.Namespace) -> int:
    """Write the page, and print its path."""
    from ltr.analysis.comparison import compare
    from ltr.core import atomic
    from ltr.report import console
    from ltr.report.page import page
    from ltr.store.fetching import fetch_first, publish
    from ltr.store.settings import paired

    runs = load_different(args.run, args.output_root)
    folder = runs[0].folder if len(runs) == 1 else args.output_root
    output = args.output or folder
    output = output / "report.html" if output.is_dir() else output
    if args.output is None:
        fetch_first([folder], output.name)
        require_inside(output, folder)
    require_own(output, MARK, args.force)
    compared = None
    if len(runs) > 1:
        is_paired = paired([run.experiment for run in runs])
        compared = compare([run.results for run in runs], "ticket", is_paired)
    try:
        atomic.write_text(output, page([_subject(run) for run in runs], compared))
    except OSError as error:
        raise unwritable(f"--output={output}", error) from None
    publish(output)
    console.write(str(output))
    return 0


def _subject(run: "LoadedRun") -> "Subject":
    import pandas as pd

    from ltr.data.dataset import describe
    from ltr.experiment.titles import title
    from ltr.report.page import Subject
    from ltr.store.settings import settings

    try:
        image = describe(run.experiment.dataset).shape
    except LtrError:  # the user's own data was moved
        image = None
    rows, last = _tickets(run)
    return Subject(
        run.folder.name,
        title(run.experiment),
        {**run.run.info, "status": run.run.status},
        run.experiment,
        settings(run.experiment),
        run.results,
        run.metrics,
        run.timings,
        run.verdicts,
        run.looks,
        pd.DataFrame(rows),
        last,
        image,
        _variances(run),
    )


def _variances(run: "LoadedRun") -> "Sequence[Variance]":
    """Return the variance of crossed trainings; empty without statsmodels, which is printed."""
    from ltr.analysis.variance import variances
    from ltr.report import console

    try:
        return variances(run.results, run.experiment)
    except ConfigError as error:
        console.note(f"ltr report: {error}")
        return ()


def _tickets(run: "LoadedRun") -> "tuple[list[dict[str, Any]], TicketLayers]":
    """Return the weights by layer of every ticket, and the last tickets.

    Both are empty if a ticket is lost, which is printed.
    """
    from ltr.analysis.mask_structure import layers, weights_by_layer
    from ltr.report import console

    is_saved = (run.results["arm"] == "ticket") & run.results["emptied_layer"].isna()
    lanes = run.results[is_saved & (run.results["replicate"] < MOST_TICKETS)]
    rows: list[dict[str, Any]] = []
    last: list[Any] = []
    for round_number, replicate in lanes[["round", "replicate"]].itertuples(index=False):
        try:
            ticket = run.ticket(round_number, replicate)
        except LtrError as error:
            console.note(f"ltr report: {error}; the page leaves out the masks")
            return [], []
        ticket_layers = layers(ticket.mask, ticket.initial)
        rows += weights_by_layer(ticket_layers, round_number, replicate)
        last += [ticket_layers] if round_number == lanes["round"].max() else []
    return rows, last
