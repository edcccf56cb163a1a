"""Default method: trains the weights of a subnetwork."""

from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.kernels import Images
from ltr.methods.method import (
    Labels,
    Lane,
    Loss,
    Method,
    MethodContext,
    MethodInput,
    StepNumber,
    apply_update,
    loss_of,
    no_notes,
)
from ltr.models.fused import slots_of, value_and_gradients
from ltr.models.model import with_statistics


def build(context: MethodContext) -> Method:
    """Train the weights that the mask keeps.

    Gradients are masked, so pruned weights and their optimizer moments stay exactly zero.
    """

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        loss = loss_of(context.model, lane, images, labels, step)
        fused = [name for name in context.fused if name not in lane.patterns]
        slots = slots_of(fused, lane.params, images, context.model.input_layer)
        (value, statistics), gradients, factors = value_and_gradients(loss, lane.params, slots)
        masked = masks.apply(lane.mask, gradients)
        after = apply_update(context.optimizer, lane, masked, step, factors=factors)
        return after._replace(params=with_statistics(after.params, statistics)), value

    return Method(begin, step, network, no_notes, packs=True, fused=context.fused)


def begin(inputs: MethodInput) -> tuple[Params, tuple[()]]:
    """Return the arm's weights, and no method state."""
    return inputs.weights, ()


def network(lane: Lane) -> tuple[Mask, Params]:
    """Return the mask and weights of the lane, which are the network itself."""
    return lane.mask, lane.params
