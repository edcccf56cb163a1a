"""Registries of criteria, sign conditions, scopes and rewindings; importable without JAX."""

from collections.abc import Callable
from dataclasses import dataclass

from ltr.registry import Entry, Registry

ZHOU = "Zhou et al., 2019"

CRITERIA: Registry[Entry] = Registry(
    "pruning.criterion",
    "criterion",
    [
        Entry(
            name="magnitude",
            doc="Magnitude of the trained weight, |theta_T|.",
            paper="Frankle & Carbin, 2019",
            code="ltr.pruning.criteria:magnitude",
        ),
        Entry(
            name="small_final",
            doc="Negative magnitude of the trained weight, -|theta_T|.",
            paper=ZHOU,
            code="ltr.pruning.criteria:small_final",
        ),
        Entry(
            name="large_init",
            doc="Magnitude of the initial weight, |theta_0|.",
            paper=ZHOU,
            code="ltr.pruning.criteria:large_init",
        ),
        Entry(
            name="small_init",
            doc="Negative magnitude of the initial weight, -|theta_0|.",
            paper=ZHOU,
            code="ltr.pruning.criteria:small_init",
        ),
        Entry(
            name="large_init_large_final",
            doc="Lower of the percentiles of |theta_0| and |theta_T| among the layer's survivors.",
            paper=ZHOU,
            code="ltr.pruning.criteria:large_init_large_final",
        ),
        Entry(
            name="small_init_small_final",
            doc="Lower of the percentiles of -|theta_0| and -|theta_T| among the layer's survivors.",
            paper=ZHOU,
            code="ltr.pruning.criteria:small_init_small_final",
        ),
        Entry(
            name="magnitude_increase",
            doc="Growth of the magnitude, |theta_T| - |theta_0|.",
            paper=ZHOU,
            code="ltr.pruning.criteria:magnitude_increase",
        ),
        Entry(
            name="movement",
            doc="Distance that the weight moved, |theta_T - theta_0|.",
            paper=ZHOU,
            code="ltr.pruning.criteria:movement",
        ),
        Entry(
            name="random",
            doc="A number drawn uniformly from [0, 1).",
            paper=ZHOU,
            code="ltr.pruning.criteria:random",
        ),
    ],
)
"""Code: see `ltr.pruning.criteria.Criterion`."""

SIGNS: Registry[Entry] = Registry(
    "pruning.sign",
    "condition on signs",
    [
        Entry(name="any", doc="Any signs.", code="ltr.pruning.criteria:any_sign"),
        Entry(
            name="same",
            doc="Weights whose sign changed in training are pruned first.",
            paper=ZHOU,
            code="ltr.pruning.criteria:same_sign",
        ),
        Entry(
            name="different",
            doc="Weights whose sign did not change in training are pruned first.",
            paper=ZHOU,
            code="ltr.pruning.criteria:different_sign",
        ),
    ],
)
"""Code: theta_0, theta_T, NumPy arrays of one shape -> boolean; False for weights that are pruned first."""


@dataclass(frozen=True, kw_only=True)
class Scope(Entry):
    """Scope of pruning: weights whose scores are compared, and how many of them are kept.

    Its code, if any, divides the kept weights among the layers (see `ltr.pruning.sharing`).

    Attributes:
        has_total: whether the target is a number for the whole network, not for each layer.
        compares_layers: whether scores of different layers are compared.
        reads_inputs: whether it needs to know which dimensions of kernels are inputs.
    """

    has_total: bool = True
    compares_layers: bool = False
    reads_inputs: bool = False


SCOPES: Registry[Scope] = Registry(
    "pruning.scope",
    "scope",
    [
        Scope(
            name="layerwise",
            doc="Each layer at its own rate.",
            paper="Frankle & Carbin, 2019",
            has_total=False,
        ),
        Scope(
            name="global",
            doc="All layers together.",
            paper="Frankle & Carbin, 2019",
            compares_layers=True,
        ),
        Scope(
            name="uniform",
            doc="Every layer to the same density.",
            paper="Zhu & Gupta, 2017",
            code="ltr.pruning.sharing:uniform",
        ),
        Scope(
            name="erk",
            doc="Every layer to its Erdos-Renyi-Kernel density, lower in larger layers.",
            paper="Evci et al., 2020",
            code="ltr.pruning.sharing:erdos_renyi_kernel",
            reads_inputs=True,
        ),
    ],
)


@dataclass(frozen=True, kw_only=True)
class Rewinding(Entry):
    """Rewinding: start of a round from the weights of the round before.

    Its code: mask, trained weights, weights at the rewind step -> weights to start from.

    Attributes:
        span: steps of the dense training, rewind step -> first and last step of later trainings. The learning
            rate follows the step; after the last step of the dense training it is constant.
        needs_rewind_step_zero: whether `rewind_step` must be 0 because it would have no effect.
        trains_at_last_rate: whether later trainings start where the learning-rate schedule ends.
        restores_weights: whether weights go back to earlier values; claims apply to such tickets only.
    """

    span: Callable[[int, int], tuple[int, int]]
    needs_rewind_step_zero: bool = False
    trains_at_last_rate: bool = False
    restores_weights: bool = False


REWINDINGS: Registry[Rewinding] = Registry(
    "rewind.name",
    "rewinding",
    [
        Rewinding(
            name="weights",
            doc="Weights go back to their values at rewind_step.",
            paper="Frankle & Carbin, 2019; Frankle et al., 2020",
            code="ltr.pruning.rewinding:at_the_rewind_step",
            span=lambda steps, rewind_step: (rewind_step, steps),
            restores_weights=True,
        ),
        Rewinding(
            name="learning_rate",
            doc="Trained weights go through the schedule of the learning rate again from rewind_step.",
            paper="Renda et al., 2020",
            code="ltr.pruning.rewinding:as_trained",
            span=lambda steps, rewind_step: (rewind_step, steps),
        ),
        Rewinding(
            name="fine_tune",
            doc="Trained weights train on, as long as from rewind_step, at the last learning rate.",
            paper="Renda et al., 2020",
            code="ltr.pruning.rewinding:as_trained",
            span=lambda steps, rewind_step: (steps, 2 * steps - rewind_step),
            trains_at_last_rate=True,
        ),
        Rewinding(
            name="continued",
            doc='Trained weights go through the whole training again ("strategy 2").',
            paper="Frankle & Carbin, 2019",
            code="ltr.pruning.rewinding:as_trained",
            span=lambda steps, rewind_step: (0, steps),
            needs_rewind_step_zero=True,
        ),
    ],
)
