"""Plans: the amount and the cost of a run, before it is trained."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ltr.arms.lanes import lanes
from ltr.config.literals import literal
from ltr.config.schema import Experiment, to_dict
from ltr.core import cache_paths, machine
from ltr.data import dataset
from ltr.engine import devices
from ltr.experiment import estimate
from ltr.experiment.conv_form import conv_form
from ltr.experiment.placement import arithmetic, fitted, needed, packed_layers, place
from ltr.experiment.spec import RunSpec
from ltr.pruning.targets import kept
from ltr.report.formatting import memory
from ltr.report.html import facts_table
from ltr.report.progress import duration
from ltr.report.text_table import facts
from ltr.store.identity import canonical, folder_name, run_id
from ltr.store.settings import settings, with_requested_arms


@dataclass(frozen=True, repr=False)
class Plan:
    """Plan of a run, as if nothing of it were trained yet.

    Attributes:
        id: run id.
        folder: path of the run folder.
        beyond_defaults: knobs that are not at their default, nested as in `configs/`.
        settings: knobs that are not at their default, by dotted name, as `ltr show` lists them.
        configuration: the whole configuration.
        looks: numbers of replicates after which `replicates=auto` tests the claims. The attributes below
            are for the first of them.
        weights: number of prunable weights of the dense network.
        rounds: rounds that are trained.
        densities: density of each round, 0 to 1.
        trainings: number of trainings.
        steps: number of training steps, summed over trainings; without those to the rewind step.
        seconds: estimated time on this machine, as busy as it is now, with compilation.
        at_a_time: number of trainings that take place at a time, as many as fit into memory.
        bytes: estimated peak memory of the process; a CPU's devices included.
        memory: its parts in bytes (see `ltr.experiment.memory.Memory`), and `of_device`, the memory of one.
        available: memory of this machine, or the limit of this process if that is lower; None if unknown.
    """

    id: str
    folder: str
    beyond_defaults: dict[str, Any]
    settings: dict[str, Any]
    configuration: dict[str, Any]
    looks: list[int]
    weights: int
    rounds: list[int]
    densities: list[float]
    trainings: int
    steps: int
    seconds: int
    at_a_time: int
    bytes: int
    memory: dict[str, int]
    available: int | None

    def facts(self) -> dict[str, str]:
        """Return the plan as text by name, without facts that do not apply."""
        named = {
            "run": self.folder,
            "knobs": ", ".join(f"{name}={literal(value)}" for name, value in self.settings.items()),
            "weights": f"{self.weights:,}",
            "density %": ", ".join(f"{100 * density:.2f}" for density in self.densities),
            "controls": self._controls(),
            "trainings": f"{self.trainings:,}, {self.at_a_time} at a time",
            "steps": f"{self.steps:,}",
            "looks": _looks(self.looks),
            "time": f"about {duration(self.seconds)} on this machine as busy as now, if nothing is done yet",
            "memory": f"about {memory(self.bytes)}"
            + (f"; this machine has {memory(self.available)}" if self.available else ""),
        }
        return {name: fact for name, fact in named.items() if fact}

    def _controls(self) -> str:
        """Return the densities of the rounds that train controls; empty if all do."""
        by_round = dict(zip(self.rounds, self.densities, strict=True))
        named = [by_round[number] for number in self.settings.get("control_rounds", ()) if number in by_round]
        return f"at {', '.join(f'{100 * density:.2f}' for density in named)} %" if named else ""

    def __repr__(self) -> str:
        return facts(self.facts())

    def _repr_html_(self) -> str:
        return facts_table(self.facts())


def plan(experiment: Experiment, on_status: Callable[[str], None], on_message: Callable[[str], None]) -> Plan:
    """Plan a run; reads no data.

    Args:
        experiment: configuration of the run.
        on_status: called with messages about measurements of this machine, which are made once for a
            network and for layers that may train packed.
        on_message: called with a line if there is less memory than all devices need.

    Raises:
        ConfigError: the configuration is wrong, or the run needs more memory than there is.
    """
    devices.start(None)
    spec = RunSpec.from_experiment(experiment)
    need = needed(spec)
    spec = fitted(spec, need, on_message)
    rounds = range(experiment.rounds + 1)
    weights = kept(spec.targets[0])
    trained = [round_number for round_number in rounds if experiment.trains(round_number)]
    zeros = dataset.describe(experiment.dataset).zeros
    form = conv_form(spec, cache_paths.conv_forms_file(), on_status)
    chosen = arithmetic(spec, zeros)._replace(conv_form=form)
    packed = packed_layers(spec, cache_paths.break_even_file(), on_status, arithmetic=chosen, zeros=zeros)
    placement = place(spec)
    seconds = estimate.seconds(spec, packed, chosen, cache_paths.speeds_file(), on_status)
    return Plan(
        id=run_id(experiment),
        folder=f"{experiment.output_root}/{folder_name(experiment)}",
        beyond_defaults=canonical(experiment),
        settings=settings(experiment),
        configuration=to_dict(with_requested_arms(experiment)),
        looks=[look for look in experiment.claims.looks if look >= experiment.replicates],
        weights=weights,
        rounds=trained,
        densities=[kept(spec.targets[round_number]) / weights for round_number in trained],
        trainings=sum(len(lanes(experiment, round_number)) for round_number in rounds),
        steps=spec.steps,
        seconds=round(seconds),
        at_a_time=placement.capacity,
        bytes=need.of_host(placement),
        memory={**asdict(need), "of_device": need.of_device(placement)},
        available=machine.memory(),
    )


def _looks(looks: list[int]) -> str:
    """Describe the looks of `replicates=auto`; empty without any."""
    if not looks:
        return ""
    after = ", ".join(map(str, looks))
    return f"after {after} replicates, until the claims are decided; the other figures are for {looks[0]}"
