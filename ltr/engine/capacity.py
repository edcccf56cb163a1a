"""Capacities of packed layers: the lengths of their vectors.

Each capacity is another shape, which needs another program, so rounds of similar density share one.
"""

import math

THREE_ROUNDS = 0.8**3
"""Density after three rounds at a prune rate of 0.2."""

DENSEST = round(1.05 * THREE_ROUNDS, 4)
"""Largest density at which the capacity of a packed layer is below its number of weights, unless it is tiny.

The extra 5 % covers rounding: each round prunes floor(rate x survivors), so it keeps slightly more.
"""

MULTIPLE = 64
"""Capacities are rounded up to a multiple of this; otherwise XLA does not vectorise the update."""

COMPILATION = 1.5e9
"""Time to compile a program, in steps of single padded weights.

On one core of an AMD EPYC of the fourth generation a program takes about 2 s and a padded weight 1.3 ns in
each step: 0.5 to 0.7 for its update by Adam, the rest to write its gradient and to pass over its place.
"""


def capacity(count: int, size: int, steps: float = math.inf) -> int:
    """Return the capacity for `count` of `size` weights.

    Capacities are `size`, and slightly more than what is left after 3, 6, 9, ... rounds at a prune rate of
    0.2. The optimizer updates the padding too, so a smaller capacity saves time in every step. Capacities
    that save less than their program takes to compile are skipped.

    Args:
        count: weights that are kept.
        size: weights of the kernel.
        steps: training steps of all lanes in three rounds.
    """
    chosen, density = size, DENSEST
    while count <= (smaller := MULTIPLE * math.ceil(density * size / MULTIPLE)) < chosen:
        if chosen == size or (chosen - smaller) * steps >= COMPILATION:
            chosen = smaller
        elif smaller == MULTIPLE:
            break
        density *= THREE_ROUNDS
    return chosen
