"""Show this installation, or check the folder of a run.

With RUN it checks the files and checkpoints that the run's results are read
from against their checksums, and says what is whole, what is lost, and what the
next command of the run makes again. Files of earlier versions of ltr have no
checksum; those that can be read are unchecked. The exit code is 1 if anything
is damaged or missing. --repair sets damaged parts aside, under names that end
in .damaged, so the next command of the run makes exactly these again; it
deletes nothing. With --json one object: run, parts (each with part, state, lost
and remedy) and set_aside (new names by old ones).

Without RUN it shows versions, devices, kernels, data, plug-ins and the
break-even density of each layer trained on this machine: below this density the
layer trains faster packed. The table shows the date of the measurement and the
spread of the times. A measurement of large spread, or in which fewer weights
took longer, is marked unsure; the next run that needs it repeats it when the
machine is less busy. --measure repeats all of them, which takes some seconds
per layer; run nothing else meanwhile. A run keeps the densities that it began
with.

The kernels train pruned layers on the CPU at the cost of their kept weights,
and compute dense 3x3 convolutions by Winograd's filtering. They are built when
ltr is installed beside a C++ compiler (GCC 12 or later; Clang builds slower
ones). Without them, layers train by the dense products and convolutions of XLA.

Examples:
  ltr doctor
  ltr doctor --measure
  ltr doctor last
  ltr doctor last --repair
"""

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.commands.options import add_output_root
from ltr.core.plural import number_of
from ltr.errors import ConfigError
from ltr.store.catalog import find

if TYPE_CHECKING:
    from ltr.engine.measurements import Case, Measurement

WITHOUT_KERNELS = (
    "not built: everything trains by the dense products of XLA (install g++ 12 or later, then ltr again, "
    "with pip's --force-reinstall --no-deps)"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr doctor`."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="check this run, named as in ltr show")
    parser.add_argument("--repair", action="store_true", help="set the damaged parts of RUN aside")
    add_output_root(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--measure", action="store_true", help="measure break-even densities again")


def execute(args: argparse.Namespace) -> int:
    """Print the facts of this installation, or the state of a run's folder."""
    if args.run is not None:
        return _check(args)
    if args.repair:
        raise ConfigError("--repair: must come after the run to repair, as in ltr doctor last --repair")
    from ltr.engine import devices
    from ltr.report import console

    devices.start(None)
    if args.measure:
        _measure()
    state = _facts()
    console.write(json.dumps(state, indent=2) if args.json else _text(state))
    return 0


def _check(args: argparse.Namespace) -> int:
    """Check the folder of a run, or repair it; return 1 if a part of it is left damaged or missing."""
    if args.measure:
        raise ConfigError("--measure: measures this machine; must not be combined with a run")
    folder = find(args.output_root, args.run).folder
    from ltr.report import console, inspection
    from ltr.store.inspection import inspect, repair

    moved = repair(folder) if args.repair else []
    parts = inspect(folder)
    if args.json:
        state = {
            "run": str(folder),
            "parts": inspection.plain(parts, folder),
            "set_aside": {str(old.relative_to(folder)): str(new.relative_to(folder)) for old, new in moved},
        }
        console.write(json.dumps(state, indent=2))
    else:
        console.write(inspection.text(parts, folder))
        for old, new in moved:
            console.write(f"\nset aside: {old.relative_to(folder)}, now {new.name}")
    return int(any(part.error for part in parts))


def _measure() -> None:
    """Repeat the measurements of this machine, after printing how long that takes."""
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
    about = f"{number_of(len(known), 'layer')}, about {duration(seconds)}; run nothing else meanwhile"
    print(f"measuring {about}", file=sys.stderr, flush=True)
    measure_again(known, cache_paths.break_even_file(), show_status)


def _break_even() -> "dict[Case, Measurement]":
    """Return the break-even densities that were measured on this machine."""
    import jax

    from ltr.core import cache_paths
    from ltr.engine import measurements

    known = measurements.read(cache_paths.break_even_file())
    return {case: known[case] for case in known if case.is_here and case.cores <= jax.device_count()}


def _facts() -> dict[str, Any]:
    from ltr import plugins
    from ltr.config import folders
    from ltr.core import cache_paths
    from ltr.core.machine import machine
    from ltr.data.prepare import data_root
    from ltr.data.registry import distributed
    from ltr.version import __version__

    root = data_root(None)
    return {
        "ltr": __version__,
        **machine(),
        "data_folder": str(root),
        "data_prepared": [entry.name for entry in distributed().values() if entry.folder(root).exists()],
        "plugins": [
            {
                "name": plugin.name,
                "package": plugin.distribution,
                "version": plugin.version,
                "problem": plugin.problem,
            }
            for plugin in plugins.installed()
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


def _text(state: dict[str, Any]) -> str:
    from ltr.core.machine import PACKAGES
    from ltr.report.text_table import facts

    packages = [f"{name} {state[name]}" for name in PACKAGES if state[name]]
    lines = {
        "ltr": f"{state['ltr']}, on Python {state['python']}, {', '.join(packages)}",
        "machine": f"{state['processor']}, {number_of(state['cores'], 'core')}; devices: {state['devices']}",
        "kernels": state["sparse_kernels"] or WITHOUT_KERNELS,
        "data": f"{', '.join(state['data_prepared']) or 'none prepared'}; in {state['data_folder']}",
        "plug-ins": "; ".join(map(_plugin, state["plugins"])) or "none",
        "configs": ", ".join(state["config_folders"]),
        "cache": state["cache_folder"],
        "disk": f"{state['free_bytes'] / 2**30:.0f} GiB free here",
    }
    written = facts({name: fact for name, fact in lines.items() if fact})
    return f"{written}{_break_even_text(state['break_even'])}"


def _plugin(plugin: dict[str, str]) -> str:
    problem = f" is left out: {plugin['problem']}" if plugin["problem"] else ""
    return f"{plugin['package']} {plugin['version']}{problem}"


def _break_even_text(measured: list[dict[str, Any]]) -> str:
    """Return a table of break-even densities and the reasons why some are unsure; empty without any."""
    from ltr.report.text_table import WIDTH, Column, table

    if not measured:
        return ""
    columns = [
        Column("layer that trains faster packed"),
        *(Column(title, is_number=True) for title in ("up to", "measured", "spread", "load")),
    ]
    names = [f"{entry['layer']}, {entry['optimizer']} {entry['batch_size']}" for entry in measured]
    rows = (
        [
            name,
            f"{entry['density']:.1%}",
            entry["date"][:10],
            f"{entry['spread']:.0%}",
            "-" if entry["load"] is None else f"{entry['load']:g}",
        ]
        for name, entry in zip(names, measured, strict=True)
    )
    doubts = [
        f"unsure: {name}: {entry['doubt']}"
        for name, entry in zip(names, measured, strict=True)
        if entry["doubt"]
    ]
    again = ["a later run repeats unsure measurements when the machine is less busy"] if doubts else []
    lines = (textwrap.fill(line, WIDTH) for line in (*doubts, *again))
    return "\n\n" + "\n".join([table(columns, rows), *lines])
