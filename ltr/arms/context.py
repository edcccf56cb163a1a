"""What a round offers its arms, and what an arm makes of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from ltr.pruning.at_init import ScoringInput


class Subnetwork(NamedTuple):
    """A subnetwork: a mask (see `ltr.core.masks`) and float32 weights to start from.

    Where the mask is False the weights do not train; they are zero, but for arms that freeze them.
    """

    mask: Any
    weights: Any


class ArmContext(NamedTuple):
    """What an arm may draw on, in one replicate and round.

    Attributes:
        layer_types: of layers (see `ltr.models.Model`); None of those that are never pruned.
        kernels: like the layer types; the `KernelShape` of each layer's kernel.
        ticket: the round's ticket.
        initial: weights at initialisation, unmasked.
        rewind_params: weights at the rewind step, unmasked; the initial ones if that is 0.
        dense: () -> weights of the dense network after its training (round 0).
        one_shot: () -> the mask of the dense network pruned at once, as the run prunes, to as many weights as
            the ticket has: together if the scope is global, else in each layer.
        rewind: mask, trained weights, origin -> weights to start from (see `ltr.pruning.rewinding`).
        init: key -> fresh weights.
        network: key -> the initial network, with a batch, to be pruned to as many weights as the
            ticket has; layers that are never pruned are without a kind in it.
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
