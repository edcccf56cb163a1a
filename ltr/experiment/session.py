"""What stays the same over a whole run: the network, the data on the devices, the compiled program."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltr import arms, data, kernels, methods, models, pruning
from ltr.config.schema import Experiment
from ltr.core import masks, optimizers, schedule
from ltr.core.schedule import Schedule
from ltr.data.augmentation import augmentation
from ltr.engine import break_even, devices, program
from ltr.engine.break_even import Layer
from ltr.engine.devices import Placement
from ltr.engine.flops import Costs, costs
from ltr.engine.packing import NO_LAYER, Layers
from ltr.engine.trainer import Trainer
from ltr.errors import ConfigError
from ltr.experiment.transfer import SourceTickets
from ltr.methods import METHODS, WATCHED, MethodContext
from ltr.models import Model
from ltr.pruning import rewinding
from ltr.pruning.rewinding import REWINDINGS
from ltr.pruning.targets import targets

QUICKLY_COMPILED = {"xla_backend_optimization_level": "1"}
"""For what is called a few times: drawing the weights of ResNet-20 compiles in 4 s instead of 10."""


@dataclass(frozen=True)
class Outline:
    """What is known of a run before its data is read.

    Attributes:
        shapes: `jax.ShapeDtypeStruct` of every parameter.
        targets: how many weights each round keeps, from round 0 on (see `ltr.pruning.targets`); if
            early birds are looked for, of one round more than there is, where there can be one.
    """

    experiment: Experiment
    model: Model
    schedule: Schedule
    shapes: Any
    targets: list[Any]


@dataclass(frozen=True)
class Setup(Outline):
    """An outline made ready to train.

    Attributes:
        init: key -> fresh weights, NumPy float32.
        batch: key -> ten training examples of each class: images, normalised, and labels.
        tickets: those of another run, if this one starts from them.
        prunable: the kinds of layers, None of those that are never pruned.
        method_context: what its methods are made of.
        costs: of its training steps.
    """

    init: Callable[[jax.Array], Any]
    batch: Callable[[jax.Array], tuple[np.ndarray, np.ndarray]]
    tickets: SourceTickets | None
    prunable: Any
    trainer: Trainer
    method_context: MethodContext
    costs: Costs


def outline(experiment: Experiment) -> Outline:
    """What can be known of a run from its configuration alone; ConfigError where that is wrong."""
    arms.check(experiment)
    pruning.check(experiment.pruning)
    rewinding.check(experiment)
    augmentation(experiment.dataset)
    facts = data.describe(experiment.dataset)
    model = models.build(experiment.model, facts.shape, facts.classes)
    span = REWINDINGS[experiment.rewind.name].span
    times = schedule.resolve(experiment, data.training_examples(experiment.dataset), span)
    methods.check(experiment, times)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    counts = targets(experiment.pruning, experiment.prune_rate, experiment.rounds, model.layer_types, shapes)
    if experiment.early_bird:
        counts += _next(experiment, model, shapes)
    return Outline(experiment, model, times, shapes, counts)


def _next(experiment: Experiment, model: Model, shapes: Any) -> list[Any]:
    """The target of the round after the last, if there can be one."""
    rounds = experiment.rounds + 1
    try:
        found = targets(experiment.pruning, experiment.prune_rate, rounds, model.layer_types, shapes)
    except ConfigError:
        return []
    return found[rounds:]


def method_context(of: Outline) -> MethodContext:
    """What the run's methods are made of."""
    times = of.schedule
    optimizer = optimizers.build(of.experiment.optimizer, times.steps, times.steps_per_epoch)
    return MethodContext(of.model, optimizer, times.steps, times.steps_per_epoch, of.experiment.pruning)


def placement(of: Outline) -> Placement:
    """Where the run's lanes train."""
    experiment = of.experiment
    lanes = arms.widest(experiment)
    return devices.place(experiment.devices, experiment.lanes_per_device, lanes, lane_bytes(of))


def lane_bytes(of: Outline) -> int:
    """Memory of a lane on its device: weights, the best, gradients, two moments, mask; no activations."""
    weights = sum(leaf.size for leaf in jax.tree.leaves(of.shapes))
    return weights * (5 * np.dtype(np.float32).itemsize + 1)


def packable(of: Outline) -> dict[str, Layer]:
    """The layers that could train packed, by name."""
    places = of.model.places
    trees = (masks.where(places, tree) for tree in (of.shapes, places))
    layers = zip(*map(jax.tree.leaves, (masks.layer_names(places), *trees)), strict=True)
    return {
        name: Layer(
            kernel.shape,
            places,
            is_first=name == of.model.first,
            reads_pixels=name == of.model.input_layer,
        )
        for name, kernel, places in layers
    }


def packing(
    of: Outline, file: Path, on_status: Callable[[str], None], recorded: Layers | None = None
) -> Layers:
    """Which layers train packed, and up to which density, as `sparse` asks.

    Args:
        of: the run.
        file: where this machine's crossovers are kept.
        on_status: hears what is measured (see `ltr.engine.break_even.measured`).
        recorded: what the run was begun with, which `sparse=auto` keeps to.

    Raises:
        ConfigError: sparse=always, where nothing can be packed.
    """
    experiment, layers, where = of.experiment, packable(of), placement(of)
    obstacle = _obstacle(where, layers)
    if obstacle and experiment.sparse == "always":
        raise ConfigError(f"sparse=always: {obstacle}")
    if obstacle or experiment.sparse == "never":
        return NO_LAYER
    if experiment.sparse == "always":
        return dict.fromkeys(layers, 1.0)
    if recorded is not None:
        return recorded
    return break_even.measured(layers, experiment.batch_size, experiment.optimizer, where, file, on_status)


def _obstacle(where: Placement, layers: Collection[str]) -> str | None:
    if where.devices[0].platform != "cpu":
        return f"needs the CPU, this machine trains on a {where.devices[0].platform}"
    if kernels.instruction_set() is None:
        return "needs the sparse kernels, which are built where ltr is installed beside a C++ compiler"
    return None if layers else "needs layers of ltr.models.layers, of which this network has none"


def make(of: Outline, packed: Layers = NO_LAYER) -> Setup:
    """Read the data and ready the devices; DataNotFoundError if there is no data.

    `packed`: which layers train packed (see `packing`).
    """
    experiment, where, made_of = of.experiment, placement(of), method_context(of)
    tickets = SourceTickets(experiment, of.shapes) if experiment.ticket else None
    examples = program.examples(data.load(experiment.dataset, experiment.data_dir))
    augment = augmentation(experiment.dataset)
    programs = {
        name: program.program(
            of.model,
            (METHODS | WATCHED)[name](made_of),
            experiment.batch_size,
            augment,
            experiment.test_curves,
        )
        for name in arms.methods(experiment)
    }
    prunable = pruning.pruned(of.model.layer_types, experiment.pruning.rates)
    trainer = Trainer(programs, made_of.optimizer, examples, where, packed)
    draw = jax.jit(of.model.init, compiler_options=QUICKLY_COMPILED)

    def init(key: jax.Array) -> Any:
        return jax.tree.map(np.asarray, draw(key))

    def batch(key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        chosen = data.of_each_class(np.asarray(examples.labels), 10, generator)
        images = program.normalise(examples.images[chosen], examples)
        return np.asarray(images), np.asarray(examples.labels[chosen])

    return Setup(
        **vars(of),
        init=init,
        batch=batch,
        tickets=tickets,
        prunable=tickets.prunable(prunable) if tickets else prunable,
        trainer=trainer,
        method_context=made_of,
        costs=costs(made_of, experiment.batch_size, examples.images.shape[1:]),
    )
