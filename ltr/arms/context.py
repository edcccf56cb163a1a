"""Interface between a round and its arms: `ArmContext` in, `Subnetwork` out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from ltr.pruning.at_init import ScoringInput


class Subnetwork(NamedTuple):
    """A mask (see `ltr.core.masks`) and float32 weights to start from.

    Where the mask is False weights do not train. They are zero, unless the arm freezes them at other values.
    """

    mask: Any
    weights: Any


class ArmContext(NamedTuple):
    """Inputs of an arm in one replicate and round.

    Attributes:
        layer_types: layer types (see `ltr.models.model.Model`); None for layers that are never pruned.
        kernels: like the layer types: the `KernelShape` of each kernel.
        ticket: ticket of the round.
        initial: weights at initialisation, unmasked.
        rewind_params: weights at the rewind step, unmasked; equal to `initial` if the step is 0.
        dense: () -> weights of the dense network after its training (round 0).
        one_shot: () -> mask of the dense network pruned in one shot, by the run's criterion, to as many
            weights as the ticket has: in total if the scope is global, else in each layer.
        rewind: mask, trained weights, weights at the rewind step -> weights to start from (see
            `ltr.pruning.rewinding`).
        init: key -> new weights from the initialiser.
        network: key -> input of a score at initialisation: the initial network, a batch, and the number of
            weights of the ticket. Layers that are never pruned have no layer type in it.
    """

    layer_types: Any
    kernels: Any
    ticket: Subnetwork
    initial: Any
    rewind_params: Any
    dense: Callable[[], Any]
    one_shot: Callable[[], Any]
    rewind: Callable[[Any, Any, Any], Any]
    init: Callable[[jax.Array], Any]
    network: Callable[[jax.Array], ScoringInput]
