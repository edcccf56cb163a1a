"""Start of a lane: what an arm makes of what a round offers it."""

import jax
import numpy as np

from ltr.arms.checks import TICKET
from ltr.arms.connections import own, shuffled
from ltr.arms.registry import PRUNED, SHUFFLES, WEIGHTS
from ltr.arms.source import Source, Ticket
from ltr.arms.weights import with_noise, with_signs
from ltr.config.schema import Arm
from ltr.core import rng


def start(arm: Arm, source: Source, key: jax.Array) -> Ticket:
    """What a lane of the arm starts from; `key` is its own."""
    if arm == TICKET:
        return source.ticket
    generator = np.random.default_rng(np.asarray(jax.random.key_data(rng.fold(key, "shuffle"))))
    found = own(arm, source, rng.fold(key, "mask"))
    if SHUFFLES[arm.shuffle].is_random:
        found = Ticket(shuffled(arm.shuffle, found.mask, source.kinds, generator), source.origin)
    weights = WEIGHTS[arm.weights].load()(source, found, rng.fold(key, "weights"))
    if arm.keep_signs:
        weights = with_signs(weights, found)
    if arm.noise:
        weights = with_noise(weights, source, found.mask, arm.noise, rng.fold(key, "noise"))
    return Ticket(found.mask, PRUNED[arm.pruned].load()(source, found.mask, weights))
