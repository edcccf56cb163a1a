"""Runtimes, networks and estimates that tests share: those of the same programs, which take long to make."""

import dataclasses
from collections.abc import Callable
from typing import Any

from ltr.arms.lanes import programs
from ltr.config.schema import Model as ModelConfig
from ltr.core.shares import WHOLE, Shares
from ltr.data.dataset import Dataset
from ltr.engine.packing import NO_LAYER, Layers
from ltr.experiment import runtime
from ltr.experiment.memory import Training, trainings
from ltr.experiment.placement import place
from ltr.experiment.runtime import Runtime
from ltr.experiment.spec import RunSpec
from ltr.methods.registry import WEIGHTS_ALONE
from ltr.models import registry as models
from ltr.models.arithmetic import XLA, Arithmetic
from ltr.models.model import Model
from ltr.models.paths import PathFinder
from ltr.models.registry import NETWORKS

Build = Callable[..., Runtime]
"""Makes the runtime of a run specification, as `ltr.experiment.runtime.build` does."""


def sharing() -> Build:
    """Return a `build` that compiles nothing twice."""
    build = runtime.build
    built: dict[str, Runtime] = {}

    def shared(
        spec: RunSpec,
        packed: Layers = NO_LAYER,
        arithmetic: Arithmetic = XLA,
        data: Dataset | None = None,
        choose: Callable[[], Layers] | None = None,
    ) -> Runtime:
        if choose:
            return build(spec, packed, arithmetic, data, choose)
        own = dataclasses.replace(spec, experiment=dataclasses.replace(spec.experiment, ticket=None))
        key = repr((_programs(own), place(own), dict(packed), arithmetic))
        if key not in built:
            built[key] = build(own, packed, arithmetic, data)
        return runtime.of_run(built[key], spec)

    return shared


def networks_once() -> Callable[[ModelConfig, tuple[int, int, int], int], Model]:
    """Return a `build` of networks that traces nothing twice."""
    found: dict[Any, Model] = {}

    def once(config: ModelConfig, image_shape: tuple[int, int, int], classes: int) -> Model:
        key = NETWORKS[config.name].load(), repr(config), image_shape, classes
        if key not in found:
            found[key] = models.build(config, image_shape, classes)
        return found[key]

    return once


def paths_once() -> Callable[[Model, tuple[int, int, int]], PathFinder]:
    """Return a `PathFinder` that compiles nothing twice."""
    found: dict[Any, tuple[Model, PathFinder]] = {}

    def once(model: Model, image_shape: tuple[int, int, int]) -> PathFinder:
        key = id(model), image_shape
        if key not in found:
            found[key] = model, PathFinder(model, image_shape)  # the model, as others could take its id
        return found[key][1]

    return once


def trainings_once() -> Callable[[RunSpec, Arithmetic, Shares], list[Training]]:
    """Return a `trainings` that traces nothing twice."""
    found: dict[str, list[Training]] = {}

    def once(spec: RunSpec, arithmetic: Arithmetic, shares: Shares = WHOLE) -> list[Training]:
        key = repr((_programs(spec), arithmetic, shares))
        if key not in found:
            found[key] = trainings(spec, arithmetic, shares)
        return found[key]

    return once


def _programs(spec: RunSpec) -> tuple[Any, ...]:
    """Return all that decides what is compiled, and for which data."""
    experiment, trained_by = spec.experiment, sorted(programs(spec.experiment))
    is_constant = experiment.optimizer.schedule == "constant" and trained_by == [WEIGHTS_ALONE]
    length = None if is_constant else (spec.schedule.steps, experiment.pruning)
    return (
        experiment.model,
        experiment.dataset,
        experiment.data_dir,
        experiment.optimizer,
        experiment.batch_size,
        experiment.test_curves,
        experiment.pruning.rates,
        trained_by,
        length,
    )
