"""Say what this installation has: versions, devices, sparse kernels, data, plug-ins.

Then the break-even densities of this machine: up to which a layer trains faster
packed, of each layer that was trained here, with the date on which that was
measured and the spread of the times. Where the spread is large, or fewer
weights took longer, it is marked unsure, and measured again by the next run
that needs it while the machine is less busy. --measure measures all of them
again, which takes some seconds a layer: let nothing else run meanwhile. A run
that is begun keeps to the densities that it was begun with.

The sparse kernels, with which pruned layers train on the CPU at the cost of
the weights they keep, are built when ltr is installed beside a C++ compiler
(GCC 12 or later; Clang builds slower ones);
without them results come from dense products.

Examples:
  ltr doctor
  ltr doctor --measure
"""

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltr.engine.measurements import Case, Measurement

WITHOUT_KERNELS = (
    "not built: everything trains by dense products (install g++ 12 or later, then ltr again, with pip's "
    "--force-reinstall --no-deps)"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `ltr doctor` takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--measure", action="store_true", help="measure break-even densities again")


def execute(args: argparse.Namespace) -> int:
    """Look round and print."""
    from ltr.engine import devices
    from ltr.report import console

    devices.start(None)
    if args.measure:
        _measure()
    found = _found()
    console.write(json.dumps(found, indent=2) if args.json else _text(found))
    return 0


def _measure() -> None:
    """Measure again what this machine measured before, and say how long that takes."""
    from ltr.core import cache_paths
    from ltr.engine.break_even import measure_again
    from ltr.report.progress import duration
    from ltr.report.status_line import show_status

    if not (known := _break_even()):
        print(
            "ltr doctor: nothing was measured here yet; ltr plan measures what its run needs", file=sys.stderr
        )
        return
    seconds = sum(measurement.seconds for measurement in known.values())
    about = f"{len(known)} layers, about {duration(seconds)}; let nothing else run meanwhile"
    print(f"measuring {about}", file=sys.stderr, flush=True)
    measure_again(known, cache_paths.break_even_file(), show_status)


def _break_even() -> "dict[Case, Measurement]":
    """The break-even densities that were measured on this machine."""
    import jax

    from ltr.core import cache_paths
    from ltr.engine import measurements

    known = measurements.read(cache_paths.break_even_file())
    return {case: known[case] for case in known if case.is_here and case.cores <= jax.device_count()}


def _found() -> dict[str, Any]:
    from ltr import plugins
    from ltr.config import folders
    from ltr.core import cache_paths
    from ltr.data.prepare import data_root
    from ltr.data.registry import distributed
    from ltr.machine import machine
    from ltr.version import __version__

    root = data_root(None)
    return {
        "ltr": __version__,
        **machine(),
        "data_folder": str(root),
        "data_prepared": [entry.name for entry in distributed().values() if entry.folder(root).exists()],
        "plugins": [
            {"name": one.name, "package": one.distribution, "version": one.version, "problem": one.problem}
            for one in plugins.installed()
        ],
        "config_folders": [str(folder) for folder in folders.own()],
        "cache_folder": str(cache_paths.folder()),
        "free_bytes": shutil.disk_usage(Path.cwd()).free,
        "break_even": [
            {
                "layer": str(case.layer),
                "optimizer": case.optimizer,
                "batch_size": case.batch_size,
                "cores": case.cores,
                **measurement._asdict(),
            }
            for case, measurement in _break_even().items()
        ],
    }


def _text(found: dict[str, Any]) -> str:
    from ltr.report.text_table import facts

    packages = [f"{name} {found[name]}" for name in ("jax", "jaxlib", "numpy", "torch") if found[name]]
    said = {
        "ltr": f"{found['ltr']}, on Python {found['python']}, {', '.join(packages)}",
        "machine": f"{found['processor']}, {found['cores']} cores; devices: {found['devices']}",
        "kernels": found["sparse_kernels"] or WITHOUT_KERNELS,
        "data": f"{', '.join(found['data_prepared']) or 'none prepared'}; in {found['data_folder']}",
        "plug-ins": "; ".join(map(_plugin, found["plugins"])) or "none",
        "configs": ", ".join(found["config_folders"]),
        "cache": found["cache_folder"],
        "disk": f"{found['free_bytes'] / 2**30:.0f} GiB free here",
    }
    written = facts({name: fact for name, fact in said.items() if fact})
    return f"{written}{_break_even_text(found['break_even'])}"


def _plugin(found: dict[str, str]) -> str:
    problem = f" is left out: {found['problem']}" if found["problem"] else ""
    return f"{found['package']} {found['version']}{problem}"


def _break_even_text(measured: list[dict[str, Any]]) -> str:
    """A table of the break-even densities, and why some are unsure; nothing where there are none."""
    from ltr.report.text_table import WIDTH, Column, table

    if not measured:
        return ""
    columns = [
        Column("layer that trains faster packed"),
        *(Column(title, is_number=True) for title in ("up to", "measured", "spread", "load")),
    ]
    names = [f"{one['layer']}, {one['optimizer']} {one['batch_size']}" for one in measured]
    rows = (
        [
            name,
            f"{one['density']:.1%}",
            one["date"][:10],
            f"{one['spread']:.0%}",
            "-" if one["load"] is None else f"{one['load']:g}",
        ]
        for name, one in zip(names, measured, strict=True)
    )
    doubts = [
        f"unsure: {name}: {one['doubt']}" for name, one in zip(names, measured, strict=True) if one["doubt"]
    ]
    again = ["a run measures again what is unsure, when less is going on"] if doubts else []
    lines = (textwrap.fill(line, WIDTH) for line in (*doubts, *again))
    return "\n\n" + "\n".join([table(columns, rows), *lines])
