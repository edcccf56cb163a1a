"""Start of a lane: the mask and weights that an arm gives it."""

import jax
import numpy as np

from ltr.arms.checks import TICKET
from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.mask_sources import own, shuffled
from ltr.arms.registry import PRUNED, SHUFFLES, WEIGHTS
from ltr.arms.weights import with_noise, with_signs
from ltr.config.schema import Arm
from ltr.core import rng
from ltr.core.types import PRNGKey


def start(arm: Arm, context: ArmContext, key: PRNGKey) -> Subnetwork:
    """Return the mask and weights that a lane of the arm starts from; `key` is the lane's key."""
    if arm == TICKET:
        return context.ticket
    generator = np.random.default_rng(np.asarray(jax.random.key_data(rng.fold(key, "shuffle"))))
    subnetwork = own(arm, context, rng.fold(key, "mask"))
    if SHUFFLES[arm.shuffle].is_random:
        mask = shuffled(arm.shuffle, subnetwork.mask, context.kernels, generator)
        subnetwork = Subnetwork(mask, context.rewind_params)
    weights = WEIGHTS[arm.weights].load()(context, subnetwork, rng.fold(key, "weights"))
    if arm.keep_signs:
        weights = with_signs(weights, subnetwork)
    if arm.noise:
        weights = with_noise(weights, context, subnetwork.mask, arm.noise, rng.fold(key, "noise"))
    return Subnetwork(subnetwork.mask, PRUNED[arm.pruned].load()(context, subnetwork.mask, weights))
