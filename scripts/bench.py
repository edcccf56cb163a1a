"""Measures how fast ltr trains, beside a plain PyTorch loop and beside bare matrix products.

    make bench

Each measurement is a process of its own, since the threads of PyTorch, NumPy and XLA disturb each
other, and each one measures everything once, so that a slow minute of the machine strikes all of
them alike; what is printed are medians. Without PyTorch its rows are left out.
"""

import argparse
import functools
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from matmul_ceiling import flops

SCRIPTS = Path(__file__).parent
PINS = hasattr(os, "sched_setaffinity")
CORES = sorted(os.sched_getaffinity(0)) if PINS else list(range(os.cpu_count() or 1))
NOTE = """
x PyTorch: steps per core, as a multiple of PyTorch's one thread. Target: 2.
of ceiling: share of the faster bare products with all cores busy. Target: 65%."""


class Case(NamedTuple):
    """What is trained: LeNet-300-100 with this batch size and optimizer."""

    batch_size: int
    optimizer: str


class Contender(NamedTuple):
    """A script to measure: one process on all of `cores`, or `a_core_each` of them a process of its own."""

    name: str
    script: str
    options: tuple[str, ...]
    cores: tuple[int, ...]
    a_core_each: bool = False


CASES = (Case(60, "adam"), Case(128, "sgd"))


def contenders() -> Iterator[Contender]:
    """Everything that is measured in a round."""
    one, every = tuple(CORES[:1]), tuple(CORES)
    threads = str(len(CORES))
    yield Contender("ltr, 1 lane, 1 core", "bench_ltr", ("--lanes=1",), one)
    yield Contender("ltr, 1 lane", "bench_ltr", ("--lanes=1",), every)
    yield Contender("ltr, 8 lanes", "bench_ltr", ("--lanes=8",), every)
    if importlib.util.find_spec("torch"):
        yield Contender("PyTorch, 1 thread", "torch_loop", ("--threads=1",), one)
        yield Contender(f"PyTorch, {threads} threads", "torch_loop", (f"--threads={threads}",), every)
        yield Contender("PyTorch, a process a core", "torch_loop", ("--threads=1",), every, a_core_each=True)
    yield Contender("products in XLA", "matmul_ceiling", (f"--devices={threads}",), every)
    yield Contender("products in BLAS", "matmul_ceiling", ("--library=numpy",), every, a_core_each=True)


def measure(contender: Contender, case: Case, seconds: float) -> float:
    """Steps per second of all its processes together."""
    options = [*contender.options, f"--batch-size={case.batch_size}", f"--seconds={seconds}"]
    if contender.script != "matmul_ceiling":
        options.append(f"--optimizer={case.optimizer}")
    command = [sys.executable, str(SCRIPTS / f"{contender.script}.py"), *options]
    bounds = [(core,) for core in contender.cores] if contender.a_core_each else [contender.cores]
    processes = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(contender),
            preexec_fn=functools.partial(bind, cores),
        )
        for cores in bounds
    ]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit(f"bench: {contender.name} failed")
    return sum(map(float, outputs))


def environment(contender: Contender) -> dict[str, str]:
    """This process's; NumPy's BLAS gets one thread and no other setting of the shell."""
    if "--library=numpy" not in contender.options:
        return dict(os.environ)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    return kept | {"OPENBLAS_NUM_THREADS": "1"}


def bind(cores: tuple[int, ...]) -> None:
    """Keeps this process on those cores, where the system can."""
    if PINS:
        os.sched_setaffinity(0, cores)


def samples(repeats: int, seconds: float) -> dict[Case, dict[Contender, list[float]]]:
    """Steps per second, measured `repeats` times in turn."""
    found: dict[Case, dict[Contender, list[float]]] = {case: {} for case in CASES}
    for number in range(repeats):
        for case in CASES:
            for contender in contenders():
                print(f"\rround {number + 1}/{repeats}: {contender.name:30}", end="", file=sys.stderr)
                found[case].setdefault(contender, []).append(measure(contender, case, seconds))
    print("\r" + " " * 50 + "\r", end="", file=sys.stderr)
    return found


def rows(case: Case, measured: dict[Contender, list[float]]) -> list[dict[str, Any]]:
    """What is told of each contender: medians, a core's share, and the two ratios where they make sense."""
    medians = {contender: statistics.median(values) for contender, values in measured.items()}
    shares = {contender: medians[contender] / len(contender.cores) for contender in medians}
    torch = next((shares[each] for each in shares if each.name == "PyTorch, 1 thread"), None)
    ceiling = max(medians[each] for each in medians if each.script == "matmul_ceiling")
    return [
        {
            "name": contender.name,
            "steps_per_second": median,
            "per_core": shares[contender],
            "gflops": median * flops(case.batch_size) / 1e9,
            "of_torch": shares[contender] / torch if torch else None,
            "of_ceiling": median / ceiling if len(contender.cores) == len(CORES) else None,
            "samples": measured[contender],
        }
        for contender, median in medians.items()
    ]


def table(case: Case, rows: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of a case's table."""
    yield f"batch {case.batch_size}, {case.optimizer}"
    yield f"  {'':26}{'steps/s':>9}{'per core':>10}{'GFLOP/s':>9}{'x PyTorch':>11}{'of ceiling':>12}"
    for row in rows:
        torch = f"{row['of_torch']:.2f}" if row["of_torch"] else "-"
        ceiling = f"{row['of_ceiling']:.0%}" if row["of_ceiling"] else "-"
        numbers = f"{row['steps_per_second']:9,.0f}{row['per_core']:10,.0f}{row['gflops']:9.0f}"
        yield f"  {row['name']:26}{numbers}{torch:>11}{ceiling:>12}"


def machine() -> dict[str, str]:
    """The processor, cores in use, and versions."""
    names = ("jax", "numpy", "torch")
    installed = [name for name in names if importlib.util.find_spec(name)]
    return {
        "cpu": cpu(),
        "cores": str(len(CORES)),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in installed},
    }


def cpu() -> str:
    """The processor's model."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Training speed of ltr, PyTorch and bare products.")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each, in turn")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a measurement")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("torch"):
        print("PyTorch is not installed: its rows are left out", file=sys.stderr)
    measured = samples(arguments.repeats, arguments.seconds)
    found = {case: rows(case, measured[case]) for case in CASES}
    if arguments.json:
        cases = [{**case._asdict(), "contenders": found[case]} for case in found]
        print(json.dumps({"machine": machine(), "cases": cases}, indent=2))
        return
    print("LeNet-300-100 on", ", ".join(f"{name} {value}" for name, value in machine().items()))
    for case, lines in found.items():
        print("", *table(case, lines), sep="\n")
    print(NOTE)


if __name__ == "__main__":
    main()
