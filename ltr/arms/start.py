"""Start of a lane: what an arm makes of what a round offers it."""

import jax
import numpy as np

from ltr.arms.checks import TICKET
from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.mask_sources import own, shuffled
from ltr.arms.registry import PRUNED, SHUFFLES, WEIGHTS
from ltr.arms.weights import with_noise, with_signs
from ltr.config.schema import Arm
from ltr.core import rng


def start(arm: Arm, context: ArmContext, key: jax.Array) -> Subnetwork:
    """What a lane of the arm starts from; `key` is its own."""
    if arm == TICKET:
        return context.ticket
    generator = np.random.default_rng(np.asarray(jax.random.key_data(rng.fold(key, "shuffle"))))
    found = own(arm, context, rng.fold(key, "mask"))
    if SHUFFLES[arm.shuffle].is_random:
        found = Subnetwork(
            shuffled(arm.shuffle, found.mask, context.kernels, generator), context.rewind_params
        )
    weights = WEIGHTS[arm.weights].load()(context, found, rng.fold(key, "weights"))
    if arm.keep_signs:
        weights = with_signs(weights, found)
    if arm.noise:
        weights = with_noise(weights, context, found.mask, arm.noise, rng.fold(key, "noise"))
    return Subnetwork(found.mask, PRUNED[arm.pruned].load()(context, found.mask, weights))
