"""Interface between a round and its arms: `ArmContext` in, `Subnetwork` out."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import PyTree

from ltr.core.types import LayerTypes, Mask, Params, PRNGKey
from ltr.models.kernel_shape import KernelShape
from ltr.pruning.at_init import ScoringInput


class Subnetwork(NamedTuple):
    """A mask and the weights to start from; NumPy arrays.

    Where the mask is False weights do not train. They are zero, unless the arm freezes them at other values.
    """

    mask: Mask
    weights: Params


class ArmContext(NamedTuple):
    """Inputs of an arm in one replicate and round.

    Attributes:
        layer_types: layer types; None for layers that are never pruned.
        kernels: like the layer types: shape of each kernel and roles of its dimensions.
        ticket: ticket of the round.
        initial: weights at initialisation, unmasked.
        rewind_params: weights at the rewind step, unmasked; equal to `initial` if the step is 0.
        dense: () -> weights of the dense network after its training (round 0).
        mask_of: replicate -> mask of its ticket of the round.
        trained: () -> weights that the ticket was pruned from, after their training.
        one_shot: () -> mask of the dense network pruned in one shot, by the run's criterion, to as many
            weights as the ticket has: in total if the scope is global, else in each layer.
        searched: () -> mask that the search of the arm found, with the weights that belong to it.
        rewind: mask, trained weights, weights at the rewind step -> weights to start from (see
            `ltr.pruning.rewinding`).
        init: key -> new weights from the initialiser.
        network: key -> input of a score at initialisation: the initial network, a batch, and the number of
            weights of the ticket. Layers that are never pruned have no layer type in it.
    """

    layer_types: LayerTypes
    kernels: PyTree[KernelShape]
    ticket: Subnetwork
    initial: Params
    rewind_params: Params
    dense: Callable[[], Params]
    mask_of: Callable[[int], Mask]
    trained: Callable[[], Params]
    one_shot: Callable[[], Mask]
    searched: Callable[[], Subnetwork]
    rewind: Callable[[Mask, Params, Params], Params]
    init: Callable[[PRNGKey], Params]
    network: Callable[[PRNGKey], ScoringInput]
