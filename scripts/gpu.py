"""Measure how ltr trains on an accelerator, within a time budget, and write one table.

scripts/gpu.sh runs this; see there, and docs/how-to/use-every-device-and-several-machines.md.

Each part runs in a process of its own (scripts/gpu_parts.py), so that one that fails or takes too long costs
no other, and the device's figures of memory are those of the part. Speeds are training steps per second of
all lanes together, without compilation: medians of measurements in turns. `estimated` is the memory by which
ltr chooses how many lanes a device takes, `reported` what the device has used.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ltr.report.formatting import memory
from ltr.report.text_table import Column, facts, table
from scripts.gpu_parts import Options

ROOT = Path(__file__).parents[1]


class Part(NamedTuple):
    """A part of the measurement.

    Attributes:
        share: largest fraction of the time budget that it may take.
        flags: further `XLA_FLAGS` of its process.
    """

    share: float
    flags: str = ""


PARTS = {
    "lenet": Part(0.4),
    "run": Part(0.25),
    "conv2": Part(0.3),
    "plain": Part(0.2),
    "deterministic": Part(0.2, "--xla_gpu_deterministic_ops=true"),
    "resnet20": Part(0.5),
}
"""Parts in the order in which they are measured; the names are those of `scripts.gpu_parts.PARTS`."""


@dataclass
class Found:
    """Everything that was measured so far.

    Attributes:
        machine: facts about the machine.
        rows: by what was trained and on how many lanes: `steps_per_second`, and bytes of memory, `estimated`
            and `reported` by the device; null if not measured or not reported.
        notes: sentences, by their subject.
    """

    machine: dict[str, Any] = field(default_factory=dict)
    rows: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        """Add a line of a part; a row that is printed again replaces the former one."""
        if "what" in line:
            self.rows[line["what"], line["lanes"]] = line
        self.machine |= line.get("machine", {})
        self.notes |= line.get("notes", {})

    def plain(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"machine": self.machine, "rows": [*self.rows.values()], "notes": self.notes}

    def text(self) -> str:
        """Return everything as text of 80 columns."""
        numbers = ("lanes", "steps/s", "estimated", "reported")
        columns = [Column("trained"), *(Column(title, is_number=True) for title in numbers)]
        rows = [
            [
                what,
                f"{lanes}",
                _speed(row["steps_per_second"]),
                _bytes(row["estimated"]),
                _bytes(row["reported"]),
            ]
            for (what, lanes), row in self.rows.items()
        ]
        machine = {name: str(fact) for name, fact in self.machine.items() if fact is not None}
        parts = facts(machine), table(columns, rows) if rows else "", facts(self.notes)
        return "\n\n".join(part for part in parts if part) + "\n"


def _speed(value: float | None) -> str:
    return "left out" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _bytes(count: int | None) -> str:
    return "-" if count is None else memory(count)


def measure(names: Sequence[str], budget: float, options: Options, out: Path) -> Found:
    """Measure parts one after the other, and write `gpu.txt` and `gpu.json` after each.

    Args:
        names: names of the parts.
        budget: seconds that they may take together.
        options: sizes of the measurement.
        out: folder of the tables, and of what each part prints to its standard error.
    """
    began, found = time.monotonic(), Found()
    for name in names:
        left = budget - (time.monotonic() - began)
        problem = run_part(name, options, min(left, PARTS[name].share * budget), out / f"{name}.log", found)
        if problem:
            found.notes[f"part {name}"] = problem
        (out / "gpu.json").write_text(json.dumps(found.plain(), indent=1) + "\n")
        (out / "gpu.txt").write_text(found.text())
        print(f"{name}: {time.monotonic() - began:.0f} s of {budget:.0f} s", file=sys.stderr, flush=True)
    return found


def run_part(name: str, options: Options, limit: float, log: Path, found: Found) -> str | None:
    """Run a part for up to `limit` seconds, and add what it finds; return why it ended early, or None."""
    if limit <= 0:
        return "left out: no time is left"
    command = [sys.executable, "-m", "scripts.gpu_parts", name, json.dumps(options._asdict())]
    flags = f"{os.environ.get('XLA_FLAGS', '')} {PARTS[name].flags}".strip()
    with log.open("w") as errors:
        try:
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=limit,
                cwd=ROOT,
                env=os.environ | {"XLA_FLAGS": flags},
                check=False,
            )
            printed, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired as error:
            printed, code = error.stdout or b"", None
    for line in printed.decode().split("\n")[:-1]:  # the last is empty, or was cut off
        if line.startswith("{"):
            found.add(json.loads(line))
    if code is None:
        return f"stopped after {limit:.0f} s; what it lacks did not fit into the time"
    return f"failed with exit code {code}: see {log.name}" if code else None


def numbers(text: str) -> tuple[int, ...]:
    """Read numbers of lanes, separated by commas."""
    found = tuple(map(int, text.split(",")))
    if min(found) < 1:
        raise ValueError
    return found


def main(words: Sequence[str]) -> int:
    """Measure, print the table, and return 1 if a part failed or was stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    defaults = Options()
    parser.add_argument("--budget", type=float, default=450.0, help="seconds of all parts together (450)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}, by commas")
    parser.add_argument("--lanes", type=numbers, default=defaults.lanes, help="lanes of LeNet (1,8,64,512)")
    parser.add_argument(
        "--conv-lanes", type=numbers, default=defaults.conv_lanes, help="lanes of convolutions (1,4,16)"
    )
    parser.add_argument(
        "--seconds", type=float, default=defaults.seconds, help="least length of a measurement (1)"
    )
    parser.add_argument("--turns", type=int, default=defaults.turns, help="measurements of a median (3)")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu"), help="folder of the tables")
    parser.add_argument("knobs", nargs="*", metavar="KNOB=VALUE", help="knobs of every part but run")
    args = parser.parse_args(words)
    names = args.parts.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"--parts={args.parts}: no part {unknown[0]}; there are {', '.join(PARTS)}")
    args.out.mkdir(parents=True, exist_ok=True)
    options = Options(args.lanes, args.conv_lanes, args.seconds, args.turns, tuple(args.knobs))
    found = measure(names, args.budget, options, args.out)
    print(found.text(), end="")
    return int(any(subject.startswith("part ") for subject in found.notes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
