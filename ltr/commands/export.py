"""Write a ticket to a file that other tools read: safetensors, and a card.

The file holds the trained weights of a round, zero where pruned
(<layer>.kernel), the masks (<layer>.kernel.mask), the weights at the start of
the round (<layer>.kernel.start), and the normalisation of images (input.mean,
input.std). The card is a Markdown file beside it and in its metadata. It
describes the ticket, its accuracy and the command that found it.

--compact removes units without incoming or without outgoing weights (networks
of dense layers only), and checks that the logits of the test images do not
change. --sparse stores kernels as compressed sparse rows, one per output
(in attention, a feature of a head): <layer>.kernel.values, .columns, .rows and
.shape. Both leave out masks and starting weights. --onnx writes an ONNX model
instead: from images, 0 to 255 in float32 [batch, height, width, channels], to
logits.

Examples:
  ltr export last --round 15
  ltr export last --round 15 --compact --output ticket.safetensors
"""

import argparse
from typing import TYPE_CHECKING, Any

from ltr.commands.options import add_data_dir, add_output_root, add_run, data_dir, load
from ltr.commands.output_file import add_output, require_inside, require_own
from ltr.errors import ConfigError
from ltr.faults import unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np

    from ltr.api.loaded import LoadedRun, Ticket
    from ltr.data.dataset import Dataset
    from ltr.models.kernel_shape import KernelShape

EXPORTS = "export"
"""Folder of the files in a run's folder."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr export`."""
    add_run(parser)
    parser.add_argument("--round", type=int, metavar="N", help="round of the ticket (must be given)")
    parser.add_argument(
        "--replicate", type=int, default=0, metavar="N", help="replicate of the ticket (default: 0)"
    )
    parser.add_argument("--compact", action="store_true", help="remove dead units")
    parser.add_argument("--sparse", action="store_true", help="store kernels as compressed sparse rows")
    parser.add_argument("--onnx", action="store_true", help="write an ONNX model (needs the extra onnx)")
    add_output(parser, "the file (default: in the run's folder, export/round_N-replicate_N...)")
    add_data_dir(parser)
    add_output_root(parser)


def execute(args: argparse.Namespace) -> int:
    """Write the file and its card, and print their paths."""
    if args.onnx and (args.compact or args.sparse):
        raise ConfigError("--onnx: writes the whole network; cannot be combined with --compact or --sparse")
    run = load(args.run, args.output_root)
    if args.round is None:
        raise ConfigError(f"--round: must be given; {run.folder} has {run.ticket_rounds}")
    from safetensors.numpy import save

    from ltr import export
    from ltr.core import atomic
    from ltr.data.dataset import load as load_data
    from ltr.report import console
    from ltr.report.command_line import command
    from ltr.store.fetching import fetch_below, publish
    from ltr.store.settings import settings

    run.require_plugins()
    fetch_below(run.folder, EXPORTS)
    output, beside = _files(args, run.folder)
    ticket = run.ticket(args.round, args.replicate)
    if (step := run.diverged_step(args.round, args.replicate)) is not None:
        raise ConfigError(
            f"--round={args.round}: the ticket of replicate {args.replicate} diverged at step {step}, so it "
            "has no trained weights"
        )
    dataset = load_data(run.experiment.dataset, data_dir(args, run))
    facts = _facts(run, args.round, args.replicate, args.compact)
    kernels = dict(export.leaves(run.model.kernels))
    tensors = _tensors(run, ticket, dataset, kernels, args.compact, args.sparse)
    tensors |= {"input.mean": dataset.mean, "input.std": dataset.std}
    card = export.card(
        facts,
        {} if args.onnx else _dimensions(tensors, kernels),
        command(settings(run.experiment), run.experiment.dataset),
    )
    content = _onnx(run, ticket, dataset) if args.onnx else save(tensors, {"card": card, **facts})
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(output, content)
        atomic.write_text(beside, card)
    except OSError as error:
        raise unwritable(f"--output={output}", error) from None
    for file in (output, beside):
        publish(file)
    console.write(f"{output}\n{beside}")
    return 0


def _files(args: argparse.Namespace, folder: "Path") -> "tuple[Path, Path]":
    """Return the files to write, the ticket and its card; ConfigError if one must not be overwritten."""
    from ltr.export.card import TITLE
    from ltr.export.onnx import PRODUCER

    output = args.output or folder / EXPORTS
    output = output / _name(args) if args.output is None or output.is_dir() else output
    beside = output.with_name(f"{output.name}.md")
    for file, mark in ((output, PRODUCER if args.onnx else TITLE), (beside, TITLE)):
        if args.output is None:
            require_inside(file, folder)
        require_own(file, mark.encode(), args.force)
    return output, beside


def _tensors(
    run: "LoadedRun",
    ticket: "Ticket",
    dataset: "Dataset",
    kernels: "Mapping[str, KernelShape]",
    is_compact: bool,
    is_sparse: bool,
) -> "dict[str, np.ndarray]":
    import numpy as np

    from ltr import export

    params = ticket.trained
    if is_compact:
        network, images = _network(run, ticket, dataset), dataset.test.images.astype(np.float32)
        normalised = (images - dataset.mean) / dataset.std
        params = export.checked(params, lambda _: np.asarray(network(images)), normalised)
    tensors, kept = export.named(params), export.named(ticket.mask)
    if is_sparse:
        return export.as_sparse(
            tensors, {name: tensors[name] != 0 if is_compact else kept[name] for name in kept}, kernels
        )
    if is_compact:
        return tensors
    return tensors | export.named(ticket.mask, ".mask") | export.named(ticket.start, ".start")


def _dimensions(tensors: "Mapping[str, np.ndarray]", kernels: "Mapping[str, KernelShape]") -> dict[str, str]:
    """Return the dimensions of each tensor by name, sorted; an empty text for those that are no kernels."""
    return {
        name: str(kernels[kernel]) if (kernel := name.removesuffix(".shape")) in kernels else ""
        for name in sorted(tensors)
    }


def _onnx(run: "LoadedRun", ticket: "Ticket", dataset: "Dataset") -> bytes:
    from ltr.export.onnx import as_onnx

    height, width, channels = dataset.test.images.shape[1:]
    return as_onnx(_network(run, ticket, dataset), (height, width, channels))


def _network(run: "LoadedRun", ticket: "Ticket", dataset: "Dataset") -> "Callable[[Any], Any]":
    """Return the function from images, 0 to 255 in float32, to the logits of the trained ticket."""
    model = run.model
    return lambda images: model.apply(ticket.trained, (images - dataset.mean) / dataset.std)


def _facts(run: "LoadedRun", round_number: int, replicate: int, is_compact: bool) -> dict[str, str]:
    from ltr.report.formatting import percent

    experiment, lanes = run.experiment, run.results
    is_lane = (
        (lanes["arm"] == "ticket") & (lanes["round"] == round_number) & (lanes["replicate"] == replicate)
    )
    lane = lanes[is_lane].iloc[0]
    return {
        "model": experiment.model.name,
        "data": experiment.dataset.name,
        "density": f"{lane['density']:.6f} ({percent(lane['density'])} % of the weights)",
        "test accuracy": f"{lane['final_accuracy']:.6f} (after the last step)",
        "form": "compact: dead units left out" if is_compact else "whole",
        "run": run.folder.name,
        "round": str(round_number),
        "replicate": str(replicate),
        "seed": str(experiment.seed),
    }


def _name(args: argparse.Namespace) -> str:
    forms: list[Any] = [form for form in ("compact", "sparse") if getattr(args, form)]
    name = "-".join([f"round_{args.round:02}", f"replicate_{args.replicate}", *forms])
    return f"{name}.{'onnx' if args.onnx else 'safetensors'}"
