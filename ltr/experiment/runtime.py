"""Runtimes: data on the devices and compiled programs, which a whole run shares."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
from jaxtyping import Float32, Int32

from ltr.arms.lanes import programs
from ltr.core.types import LayerTypes, Params, PRNGKey
from ltr.data import dataset
from ltr.data.augmentation import augmentation
from ltr.data.dataset import Dataset
from ltr.engine import program
from ltr.engine.examples import lay_out, normalise
from ltr.engine.flops import Costs, costs
from ltr.engine.packing import NO_LAYER, Layers
from ltr.engine.trainer import Trainer
from ltr.experiment import records
from ltr.experiment.placement import place
from ltr.experiment.spec import RunSpec
from ltr.experiment.transfer import SourceTickets
from ltr.methods.registry import method
from ltr.models.arithmetic import XLA, Arithmetic
from ltr.models.paths import PathFinder
from ltr.pruning import prune
from ltr.pruning.at_init import EXAMPLES_PER_CLASS

QUICKLY_COMPILED = {"xla_backend_optimization_level": "1"}
"""Compiler options for functions called only a few times; ResNet-20's init compiles in 4 s, not 10 s."""


Sample = tuple[Float32[np.ndarray, "batch height width channels"], Int32[np.ndarray, "batch"]]
"""Normalised images and their labels."""


@dataclass(frozen=True)
class Runtime:
    """Run specification with its data and compiled programs.

    Attributes:
        spec: the run.
        arithmetic: layers that ltr's kernels compute while they are dense.
        init: key -> newly drawn weights, NumPy arrays.
        sample_batch: key -> ten training examples of each class: normalised images, and labels.
        tickets: tickets of another run to start from; None if this run finds its own.
        prunable: layer type of each kernel; None for layers that are never pruned.
        trainer: compiled programs and the data set, on the devices.
        costs: floating-point operations of its training steps.
    """

    spec: RunSpec
    arithmetic: Arithmetic
    init: Callable[[PRNGKey], Params]
    sample_batch: Callable[[PRNGKey], Sample]
    tickets: SourceTickets | None
    prunable: LayerTypes
    trainer: Trainer
    costs: Costs


def build(
    spec: RunSpec,
    packed: Layers = NO_LAYER,
    arithmetic: Arithmetic = XLA,
    data: Dataset | None = None,
    choose: Callable[[], Layers] | None = None,
) -> Runtime:
    """Prepare the devices.

    Args:
        spec: the run.
        packed: layers that train packed (see `ltr.experiment.placement.packed_layers`).
        arithmetic: layers that ltr's kernels compute while they are dense (see `placement.arithmetic`).
            Scores at initialisation, some of which are second derivatives, use XLA's operations.
        data: data set of the run; by default it is read.
        choose: chooses the layers that train packed in place of `packed`, once a lane is sparse enough.

    Raises:
        DataNotFoundError: the data set is missing.
    """
    experiment, placement = spec.experiment, place(spec)
    method_context = spec.training_context(arithmetic, placement.shares)
    examples = lay_out(data or dataset.load(experiment.dataset, experiment.data_dir))
    augment = augmentation(experiment.dataset)
    height, width, channels = examples.images.shape[1:]
    find_paths = PathFinder(spec.model, (height, width, channels))
    compiled = {
        name: program.program(
            method_context.model,
            method(of.method).load()(spec.in_batches_of(of.batch_size, method_context)),
            of.batch_size,
            augment,
            experiment.test_curves,
            placement.shares,
        )._replace(notes=partial(records.of_paths, find_paths))
        for name, of in programs(experiment).items()
    }
    trainer = Trainer(
        compiled,
        method_context.optimizer,
        examples,
        placement,
        packed,
        spec.steps_in_three_rounds,
        choose,
    )
    draw = jax.jit(spec.model.init, compiler_options=QUICKLY_COMPILED)

    def init(key: PRNGKey) -> Params:
        return jax.tree.map(np.asarray, draw(key))

    def sample_batch(key: PRNGKey) -> Sample:
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        chosen = dataset.of_each_class(np.asarray(examples.labels), EXAMPLES_PER_CLASS, generator)
        images = normalise(examples.images[chosen], examples)
        return np.asarray(images), np.asarray(examples.labels[chosen])

    runtime = Runtime(
        spec,
        arithmetic,
        init=init,
        sample_batch=sample_batch,
        tickets=None,
        prunable=spec.model.layer_types,
        trainer=trainer,
        costs=costs(spec.method_context, experiment.batch_size, examples.images.shape[1:]),
    )
    return of_run(runtime, spec)


def of_run(runtime: Runtime, spec: RunSpec) -> Runtime:
    """Return the runtime for a run of the same programs; ConfigError if another run's tickets do not fit."""
    tickets = SourceTickets(spec.experiment, spec.shapes) if spec.experiment.ticket else None
    prunable = prune.prunable(spec.model.layer_types, spec.experiment.pruning.rates)
    return replace(
        runtime,
        spec=spec,
        tickets=tickets,
        prunable=tickets.prunable(prunable) if tickets else prunable,
    )
