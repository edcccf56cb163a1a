"""Targets: how many weights each round keeps, exact and known before any weight is trained.

A target is a number over all prunable layers together, whose scores then compete (scope global),
or a number for each layer: a pytree like the mask (every other scope).
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from ltr.config.schema import Pruning
from ltr.core import masks
from ltr.errors import ConfigError
from ltr.models.kernel_shape import KernelShape
from ltr.pruning import sharing
from ltr.pruning.registry import SCOPES


def targets(config: Pruning, prune_rate: float, rounds: int, layer_types: Any, kernels: Any) -> list[Any]:
    """The targets of rounds 0 to `rounds`.

    Args:
        config: a layer whose kind has rate 0 is never pruned.
        prune_rate: see `ltr.config.schema.Experiment`; not looked at where there are `config.densities`.
        rounds: prunings, at most as many as there are `config.densities`.
        layer_types: see `ltr.models.Model`.
        kernels: see `ltr.models.Model`.
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
    return [jax.tree.unflatten(structure, of_round) for of_round in counts]


def kept(target: Any) -> int:
    """The weights that a target keeps, over all layers."""
    return sum(jax.tree.leaves(target))


def met_by(config: Pruning, mask: Any) -> Any:
    """Return the target that a mask meets exactly."""
    return masks.count(mask) if SCOPES[config.scope].compares_layers else jax.tree.map(np.count_nonzero, mask)


def layer_rates(config: Pruning, prune_rate: float, layer_types: Any) -> Any:
    """The `Fraction` to prune of each layer in a round, by its kind (see `ltr.models.LAYER_TYPES`).

    ConfigError if a rate is 1 or more, or if rates are unequal where layers are pruned together.
    """
    rates = {}
    for kind, multiple in vars(config.rates).items():
        rates[kind] = Fraction(str(multiple)) * Fraction(str(prune_rate))
        if rates[kind] >= 1:
            raise ConfigError(
                f"pruning.rates.{kind}={multiple}: times prune_rate={prune_rate} must be less than 1"
            )
    used = {kind for kind in jax.tree.leaves(layer_types) if rates[kind]}
    if SCOPES[config.scope].has_total and len({rates[kind] for kind in used}) > 1:
        raise ConfigError(
            f"pruning.scope={config.scope}: pruning.rates must be equal, or 0 for layers never pruned"
        )
    return masks.tree_map(lambda kind: None if kind is None else rates[kind], layer_types)


def fraction_of(rate: Fraction, count: int) -> int:
    """floor(rate x count), exactly."""
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
    for wanted in config.densities[:rounds]:
        totals.append(round(Fraction(str(wanted)) * weights))
        if totals[-1] <= spared:
            raise ConfigError(
                f"pruning.densities: {wanted} must be more than {spared / weights:.4g}, "
                "which layers that are never pruned make up"
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
    found: list[Sequence[int]] = []
    for round_number, total in enumerate(totals):
        shares = SCOPES[config.scope].load()([kernels[n] for n in pruned], total - spared)
        kept = sharing.whole(shares, total - spared, [counts[n] for n in pruned])
        if 0 in kept:
            raise ConfigError(
                f"pruning.scope={config.scope}: round {round_number} would empty layer "
                f"{names[pruned[kept.index(0)]]}; prune less, or in fewer rounds"
            )
        of_layer = dict(zip(pruned, kept, strict=True))
        counts = [of_layer.get(n, count) for n, count in enumerate(counts)]
        found.append(counts)
    return found
