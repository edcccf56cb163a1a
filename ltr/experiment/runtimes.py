"""Runtimes of the runs of a process: those with the same programs share one."""

from collections.abc import Callable, Hashable
from dataclasses import replace

from ltr.arms import lanes
from ltr.config.schema import Experiment, OfLane
from ltr.config.walk import by_name, is_marked
from ltr.core import cache_paths, masks
from ltr.data import dataset
from ltr.data.arrays import share_of_zeros
from ltr.engine import flops, processes
from ltr.engine.packing import NO_LAYER, Layers, is_sparse
from ltr.experiment import runtime
from ltr.experiment.conv_form import conv_form
from ltr.experiment.placement import (
    arithmetic,
    fitted,
    needed,
    needs_measurement,
    packed_layers,
    place,
)
from ltr.experiment.runtime import Runtime
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.models.arithmetic import Arithmetic
from ltr.report.status_line import show_status
from ltr.store.folder import RunFolder


class Runtimes:
    """Runtimes of runs that train side by side.

    Args:
        runs: how many there are. Devices and memory are chosen as for one run with the replicates of all.
        layers: layers that train packed in new runs; None to choose them when a lane is that sparse.
    """

    def __init__(self, runs: int = 1, layers: Layers | None = None) -> None:
        self._runs, self._layers = runs, layers
        self._built: dict[Hashable, Runtime] = {}

    def session(
        self,
        spec: RunSpec,
        folder: RunFolder,
        on_status: Callable[[str], None],
        on_message: Callable[[str], None],
    ) -> Session:
        """Prepare a run for training; with `auto` it keeps the arithmetic that it began with.

        Args:
            spec: the run.
            folder: its folder.
            on_status: called with the layer that is measured.
            on_message: called with a line if there is less memory than all devices need.

        Raises:
            ConfigError: the run needs more memory than there is.
            DataNotFoundError: the data set is missing.
        """
        folder.groups.expect(spec.shapes, spec.model.layer_types)
        experiment = spec.experiment
        all_runs = of_all(spec, self._runs)
        key = repr((programs(experiment), place(all_runs), folder.first_choices))
        if key not in self._built:
            self._built[key] = build(_fitting(all_runs, on_message), folder, on_status, self._layers)
        return Session(runtime.of_run(self._built[key], spec), folder, folder.record_packed)


def _fitting(spec: RunSpec, on_message: Callable[[str], None]) -> RunSpec:
    """Return the specification with as many devices as the memory of this process, or of process 0, holds."""
    need = needed(spec)
    count = processes.agreed(lambda: fitted(spec, need, on_message).experiment.devices)
    return replace(spec, experiment=replace(spec.experiment, devices=count))


def of_all(spec: RunSpec, runs: int) -> RunSpec:
    """Return the specification of one run with the replicates of several alike runs."""
    replicates = runs * spec.experiment.replicates
    return replace(spec, experiment=replace(spec.experiment, replicates=replicates))


def chosen_layers(spec: RunSpec, on_status: Callable[[str], None]) -> Layers | None:
    """Return the layers that train packed in a new run; None if no lane of it will be that sparse."""
    kernels = masks.where(spec.model.layer_types, spec.shapes)
    if not any(is_sparse(flops.planned(target, kernels)) for target in spec.targets):
        return None
    data = dataset.load(spec.experiment.dataset, spec.experiment.data_dir)
    zeros, file = share_of_zeros(data.train.images), cache_paths.break_even_file()
    return packed_layers(spec, file, on_status, None, arithmetic(spec, zeros), zeros)


def programs(experiment: Experiment) -> Hashable:
    """Return all of a configuration that decides what is compiled, and for which data and devices."""
    knobs = tuple(
        (name, repr(value))
        for name, value, hint in by_name(experiment)
        if not is_marked(hint, OfLane) and not name.startswith("arm.")  # arms enter by their methods
    )
    compiled = lanes.programs(experiment)
    pruning = None if [*compiled] == [WEIGHTS_ALONE] else repr(experiment.pruning)
    return knobs, tuple(compiled), pruning


def open_session(spec: RunSpec, folder: RunFolder, on_status: Callable[[str], None] = show_status) -> Session:
    """Prepare a run for training, alone and whatever its memory."""
    folder.groups.expect(spec.shapes, spec.model.layer_types)
    return Session(build(spec, folder, on_status), folder, folder.record_packed)


def build(
    spec: RunSpec, folder: RunFolder, on_status: Callable[[str], None], layers: Layers | None = None
) -> Runtime:
    """Build the runtime of a run, with the arithmetic of its folder.

    Break-even densities that are not known are measured as soon as a lane could train packed. A run that
    starts needs none before.

    `layers`: layers that train packed if the folder has no choice of its own.
    """
    data = dataset.load(spec.experiment.dataset, spec.experiment.data_dir)
    zeros, file = share_of_zeros(data.train.images), cache_paths.break_even_file()
    chosen = _arithmetic(spec, folder, zeros, on_status)
    begun_with = folder.first_choices.packed
    packed = layers if begun_with is None else begun_with

    def choose() -> Layers:
        return processes.agreed(lambda: dict(packed_layers(spec, file, on_status, packed, chosen, zeros)))

    if processes.agreed(lambda: needs_measurement(spec, file, packed, chosen, zeros)):
        return runtime.build(spec, NO_LAYER, chosen, data, choose)
    return runtime.build(spec, choose(), chosen, data)


def _arithmetic(
    spec: RunSpec, folder: RunFolder, zeros: float, on_status: Callable[[str], None]
) -> Arithmetic:
    """Return the arithmetic of a run: that which it began with, or the choice of process 0."""
    first = folder.first_choices
    begun_with = None
    if first.tiles is not None:
        begun_with = Arithmetic(first.tiles, first.fused, first.batch_norms, first.conv_form)

    def choose() -> Arithmetic:
        recorded = begun_with and begun_with.conv_form
        chosen = conv_form(spec, cache_paths.conv_forms_file(), on_status, recorded)
        return arithmetic(spec, zeros, begun_with)._replace(conv_form=chosen)

    tiles, fused, batch_norms, form = processes.agreed(choose)
    return Arithmetic(tiles, tuple(fused), tuple(batch_norms), form)
