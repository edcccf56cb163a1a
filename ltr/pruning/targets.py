"""Targets: exact numbers of weights that each round keeps, known before training.

With scope global a target is one number for all prunable layers together. With every other scope it is a
number for each layer, in a pytree like the mask.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

import jax
import numpy as np
from jaxtyping import PyTree

from ltr.config.schema import Pruning
from ltr.core import masks
from ltr.core.types import LayerTypes, Mask
from ltr.errors import ConfigError
from ltr.models.kernel_shape import KernelShape
from ltr.pruning import sharing
from ltr.pruning.registry import SCOPES

Target: TypeAlias = PyTree[int]
"""Number of weights to keep, in all layers together or in each, like the mask."""


def targets(
    config: Pruning,
    prune_rate: float,
    rounds: int,
    layer_types: LayerTypes,
    kernels: PyTree[KernelShape],
) -> list[Target]:
    """Return the targets of rounds 0 to `rounds`.

    Args:
        config: scope, rates and densities; layers of rate 0 are never pruned.
        prune_rate: see `ltr.config.schema.Experiment`; ignored if there are `config.densities`.
        rounds: number of prunings, at most the number of `config.densities` if there are any.
        layer_types: see `ltr.models.model.Model`.
        kernels: see `ltr.models.model.Model`.

    Raises:
        ConfigError: for rates or densities that cannot be met, or a layer that would be emptied.
    """
    rates = jax.tree.leaves(layer_rates(config, prune_rate, layer_types))
    names, structure = jax.tree.flatten(masks.layer_names(layer_types))
    prunable = jax.tree.leaves(masks.where(layer_types, kernels))
    sizes = [kernel.size for kernel in prunable]
    if not SCOPES[config.scope].has_total:
        counts = _each_by_rate(sizes, rates, rounds)
    else:
        totals = _totals(config, sizes, rates, rounds)
        if SCOPES[config.scope].compares_layers:
            return totals
        counts = _shared(config, prunable, rates, totals, names)
    return [jax.tree.unflatten(structure, round_counts) for round_counts in counts]


def kept(target: Target) -> int:
    """Return the number of weights that a target keeps in all layers together."""
    return sum(jax.tree.leaves(target))


def met_by(config: Pruning, mask: Mask) -> Target:
    """Return the target that a mask meets exactly."""
    if SCOPES[config.scope].compares_layers:
        return masks.count(mask)
    return jax.tree.map(lambda layer: int(np.count_nonzero(layer)), mask)


def layer_rates(config: Pruning, prune_rate: float, layer_types: LayerTypes) -> PyTree[Fraction]:
    """Return the `Fraction` of each layer to prune per round, by its layer type.

    ConfigError if a rate is 1 or more, or if rates differ although the scope has one target for all layers.
    """
    rates = {}
    for name, multiple in vars(config.rates).items():
        rates[name] = Fraction(str(multiple)) * Fraction(str(prune_rate))
        if rates[name] >= 1:
            raise ConfigError(
                f"pruning.rates.{name}={multiple}: times prune_rate={prune_rate} must be less than 1"
            )
    used = {name for name in jax.tree.leaves(layer_types) if rates[name]}
    if SCOPES[config.scope].has_total and len({rates[name] for name in used}) > 1:
        raise ConfigError(
            f"pruning.scope={config.scope}: pruning.rates must be equal, or 0 for layers never pruned"
        )
    return masks.tree_map(lambda name: None if name is None else rates[name], layer_types)


def fraction_of(rate: Fraction, count: int) -> int:
    """Return floor(rate x count), computed exactly."""
    return int(rate * count)


def _by_rate(count: int, rate: Fraction, rounds: int) -> list[int]:
    counts = [count]
    for _ in range(rounds):
        counts.append(counts[-1] - fraction_of(rate, counts[-1]))
    return counts


def _each_by_rate(sizes: Sequence[int], rates: Sequence[Fraction], rounds: int) -> list[Sequence[int]]:
    layers = zip(sizes, rates, strict=True)
    return list(zip(*(_by_rate(size, rate, rounds) for size, rate in layers), strict=True))


def _totals(config: Pruning, sizes: Sequence[int], rates: Sequence[Fraction], rounds: int) -> list[int]:
    weights = sum(sizes)
    spared = sum(size for size, rate in zip(sizes, rates, strict=True) if not rate)
    if not config.densities:
        return [spared + count for count in _by_rate(weights - spared, max(rates), rounds)]
    totals = [weights]
    for density in config.densities[:rounds]:
        totals.append(round(Fraction(str(density)) * weights))
        if totals[-1] <= spared:
            raise ConfigError(
                f"pruning.densities: {density} must be more than {spared / weights:.4g}, "
                "the share of layers that are never pruned"
            )
    return totals


def _shared(
    config: Pruning,
    kernels: Sequence[KernelShape],
    rates: Sequence[Fraction],
    totals: Sequence[int],
    names: Sequence[str],
) -> list[Sequence[int]]:
    counts: Sequence[int] = [kernel.size for kernel in kernels]
    pruned = [n for n, rate in enumerate(rates) if rate]
    spared = sum(counts[n] for n in range(len(counts)) if n not in pruned)
    by_round: list[Sequence[int]] = []
    for round_number, total in enumerate(totals):
        shares = SCOPES[config.scope].load()([kernels[n] for n in pruned], total - spared)
        kept = sharing.whole(shares, total - spared, [counts[n] for n in pruned])
        if 0 in kept:
            raise ConfigError(
                f"pruning.scope={config.scope}: round {round_number} would empty layer "
                f"{names[pruned[kept.index(0)]]}; prune less, or in fewer rounds"
            )
        kept_by_index = dict(zip(pruned, kept, strict=True))
        counts = [kept_by_index.get(n, count) for n, count in enumerate(counts)]
        by_round.append(counts)
    return by_round
