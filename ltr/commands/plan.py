"""Say what `ltr run` with the same words would do, without doing it.

Prints the configuration beyond the defaults, the run's folder, the density of
each round, how many trainings and steps are to go, and about how long they
take in how much memory.

Example:
  ltr plan experiment=mnist_lenet replicates=3
"""

import argparse
import json
import sys
from typing import Any

from ltr.commands.knobs import add_knobs

LISTS_KNOBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `ltr plan` takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_knobs(parser)


def execute(args: argparse.Namespace) -> int:
    """Print the plan."""
    from ltr.experiment.compose import from_words

    experiment = from_words(args.knobs)
    from ltr.data.custom import status_lines  # what imports JAX, after what is wrong is said
    from ltr.engine.devices import start
    from ltr.report.console import write

    for line in status_lines(experiment.dataset):
        print(line, file=sys.stderr, flush=True)
    start(None)
    plan = _plan(experiment)
    write(json.dumps(plan, indent=2) if args.json else _text(plan))
    return 0


def _plan(experiment: Any) -> dict[str, Any]:
    from ltr.arms.lanes import lanes as lanes_of
    from ltr.config.schema import to_dict
    from ltr.core import cache_paths
    from ltr.experiment import estimate
    from ltr.experiment.placement import packed_layers
    from ltr.experiment.spec import RunSpec
    from ltr.pruning.targets import kept
    from ltr.report.status_line import show_status
    from ltr.store.identity import canonical, folder_name, run_id
    from ltr.store.settings import only_asked_arms, settings

    spec = RunSpec.from_experiment(experiment)
    rounds = range(experiment.rounds + 1)
    weights = kept(spec.targets[0])
    trained = [round_number for round_number in rounds if experiment.trains(round_number)]
    lanes = [len(lanes_of(experiment, round_number)) for round_number in rounds]
    cost = estimate.cost(spec, packed_layers(spec, cache_paths.break_even_file(), show_status))
    return {
        "id": run_id(experiment),
        "folder": f"{experiment.output_root}/{folder_name(experiment)}",
        "beyond_defaults": canonical(experiment),
        "settings": settings(experiment),
        "configuration": to_dict(only_asked_arms(experiment)),
        "looks": [look for look in experiment.claims.looks if look >= experiment.replicates],
        "weights": weights,
        "rounds": trained,
        "densities": [kept(spec.targets[round_number]) / weights for round_number in trained],
        "trainings": sum(lanes),
        "steps": sum(
            count * spec.schedule.length(round_number)
            for count, round_number in zip(lanes, rounds, strict=True)
        ),
        "seconds": round(cost.seconds),
        "bytes": cost.bytes,
    }


def _text(plan: dict[str, Any]) -> str:
    from ltr.report.command_line import word
    from ltr.report.progress import duration
    from ltr.report.text_table import facts

    said = {
        "run": plan["folder"],
        "knobs": ", ".join(f"{name}={word(value)}" for name, value in plan["settings"].items()),
        "weights": f"{plan['weights']:,}",
        "density %": ", ".join(f"{100 * density:.2f}" for density in plan["densities"]),
        "trainings": f"{plan['trainings']:,}",
        "steps": f"{plan['steps']:,}",
        "looks": _looks(plan["looks"]),
        "time": f"about {duration(plan['seconds'])} on this machine, if nothing is done yet",
        "memory": f"about {plan['bytes'] / 2**30:.1f} GiB",
    }
    return facts({name: fact for name, fact in said.items() if fact})


def _looks(looks: list[int]) -> str:
    """With replicates=auto."""
    if not looks:
        return ""
    after = ", ".join(map(str, looks))
    return f"after {after} replicates, until the claims are decided; the rest is said of {looks[0]}"
