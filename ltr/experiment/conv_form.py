"""Choice of the form of a run's convolutions, where a device maps over several lanes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ltr.data import dataset
from ltr.engine import devices, fastest_form
from ltr.engine.fastest_form import Case
from ltr.engine.speed import noisy_images
from ltr.experiment.memory import memory
from ltr.experiment.placement import USED, packable_layers, place, share_size
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA
from ltr.models.conv_forms import FORMS, GROUPED


def conv_form(
    spec: RunSpec, file: Path, on_status: Callable[[str], None], recorded: str | None = None
) -> str:
    """Choose the form of the convolutions that XLA computes, according to `arithmetic`.

    Accelerators that map over several lanes take the fastest by measurement. On a CPU, where a device trains
    one lane at a time unless told otherwise, and for single lanes it is that of XLA.

    Args:
        spec: the run.
        file: file of the forms measured on this machine.
        on_status: called with a message before a measurement, and with the empty string after it.
        recorded: choice at the beginning of the run, which is kept.
    """
    if spec.experiment.arithmetic == "xla":
        return GROUPED
    if recorded is not None:
        return recorded
    placement = place(spec).local
    layers = tuple(str(layer) for layer in packable_layers(spec).values() if len(layer.kernel) > 2)
    if not layers or placement.lanes_per_device == 1 or placement.devices[0].platform == "cpu":
        return GROUPED
    case = Case.here(layers, share_size(spec), placement)
    return fastest_form.fastest(case, file, partial(seconds, spec), on_status)


def seconds(spec: RunSpec) -> dict[str, float]:
    """Measure the seconds of a training step of a run's network, by form, of those that fit in memory."""
    facts = dataset.describe(spec.experiment.dataset)
    images = noisy_images(np.random.default_rng(0), (share_size(spec), *facts.shape), facts.zeros)
    contexts = {
        form: spec.training_context(XLA._replace(conv_form=form))
        for form in FORMS
        if form == GROUPED or _fits(spec, form)
    }
    return fastest_form.seconds(contexts, images, place(spec).local)


def _fits(spec: RunSpec, form: str) -> bool:
    """Return whether the memory of a device holds its lanes in a form, by an estimate."""
    placement = place(spec)
    limit = devices.memory(placement.devices[0])
    need = memory(spec, XLA._replace(conv_form=form), placement.shares)
    return limit is None or need.of_device(placement) <= USED * limit
