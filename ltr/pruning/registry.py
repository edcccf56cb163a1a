"""What prunes and rewinds, by name and without JAX: criteria, signs, scopes and rewindings."""

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
            doc="Trained weights of the initial sign are kept first.",
            paper=ZHOU,
            code="ltr.pruning.criteria:same_sign",
        ),
        Entry(
            name="different",
            doc="Trained weights of the other sign are kept first.",
            paper=ZHOU,
            code="ltr.pruning.criteria:different_sign",
        ),
    ],
)
"""Code: theta_0, theta_T, NumPy arrays of one shape -> boolean, where a weight may be worth anything."""


@dataclass(frozen=True, kw_only=True)
class Scope(Entry):
    """The weights that compete, and how many of them are kept.

    Its code, where it has any, divides what is kept among the layers (see `ltr.pruning.sharing`).

    Attributes:
        has_total: whether the number of weights of the whole network is fixed, not that of each layer.
        compares_layers: whether weights of different layers compete.
        reads_inputs: whether it has to know which dimensions of kernels are inputs.
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
            doc="Each layer by its own rate.",
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
    """How a round starts from the one before.

    Its code: mask, trained weights, weights at the rewind step -> weights to start from.

    Attributes:
        span: steps of the dense training, rewind step -> first and last step of later trainings; the
            learning rate follows the step, and stays as it is after the dense training's last.
        needs_rewind_step_zero: whether a rewind step has no meaning.
        trains_at_last_rate: whether later trainings begin where the schedule of the learning rate ends.
        restores_weights: whether weights go back to earlier values; the claims are about such tickets alone.
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
