"""Parts of which arms are made, by name and without JAX: masks, shuffles, weights, and what is pruned."""

from dataclasses import dataclass

from ltr.registry import Entry, Registry


@dataclass(frozen=True, kw_only=True)
class MaskEntry(Entry):
    """A mask that an arm may have; its code: `ArmContext` -> `Subnetwork`.

    Attributes:
        is_random: whether another draw is another mask.
    """

    is_random: bool = False

    def differs_by_draw(self, invert: bool) -> bool:
        """Return whether another draw is another mask, of the highest scores if `invert`."""
        return self.is_random


@dataclass(frozen=True, kw_only=True)
class AtInitEntry(MaskEntry):
    """A mask of the untrained network; its code: `ltr.pruning.at_init.ScoringInput` -> mask."""


@dataclass(frozen=True, kw_only=True)
class ScoreEntry(AtInitEntry):
    """A score of untrained weights, the lowest of which are pruned; its code: `ltr.pruning.at_init.Score`.

    Attributes:
        rounds: prunings of equal rate, each by the scores of what is left.
        is_random_inverted: whether another draw is another mask, where the highest scores are pruned.
    """

    rounds: int = 1
    is_random_inverted: bool = False

    def differs_by_draw(self, invert: bool) -> bool:
        """Return whether another draw is another mask, of the highest scores if `invert`."""
        return self.is_random_inverted if invert else self.is_random


MASKS: Registry[MaskEntry] = Registry(
    "arm.NAME.mask",
    "mask",
    [
        MaskEntry(name="ticket", doc="Mask that pruning found.", code="ltr.arms.mask_sources:ticket"),
        MaskEntry(
            name="one_shot",
            doc="Dense network pruned at once to the ticket's density.",
            paper="Frankle & Carbin, 2019",
            code="ltr.arms.mask_sources:one_shot",
        ),
        ScoreEntry(
            name="snip",
            doc="SNIP: change of the loss without the weight, |g theta|.",
            paper="Lee et al., 2019",
            code="ltr.pruning.at_init:snip",
            is_random=True,
            is_random_inverted=True,
        ),
        ScoreEntry(
            name="grasp",
            doc="GraSP: change of the gradient's norm without the weight, theta (H g).",
            paper="Wang et al., 2020",
            code="ltr.pruning.at_init:grasp",
            is_random=True,
            is_random_inverted=True,
        ),
        ScoreEntry(
            name="synflow",
            doc="SynFlow: share of the synaptic flow, without data.",
            paper="Tanaka et al., 2020",
            code="ltr.pruning.at_init:synflow",
            rounds=100,
            is_random_inverted=True,
        ),
        ScoreEntry(
            name="magnitude_at_init",
            doc="Magnitude of the initial weight.",
            paper="Frankle et al., 2021",
            code="ltr.pruning.at_init:magnitude_at_init",
        ),
        AtInitEntry(
            name="random_at_init",
            doc="Random mask of the same density in every layer.",
            paper="Frankle et al., 2021",
            code="ltr.pruning.at_init:random_at_init",
            is_random=True,
        ),
    ],
)


@dataclass(frozen=True, kw_only=True)
class Shuffle(Entry):
    """A way to shuffle a mask; its code: mask, `ArmContext.kernels`, NumPy generator -> mask.

    Attributes:
        is_random: whether it shuffles at all.
        reads_inputs: whether it has to know which dimensions of kernels are inputs.
    """

    is_random: bool = True
    reads_inputs: bool = False


SHUFFLES: Registry[Shuffle] = Registry(
    "arm.NAME.shuffle",
    "shuffle",
    [
        Shuffle(name="none", doc="The mask as it is.", is_random=False),
        Shuffle(
            name="layerwise",
            doc="Shuffled within each layer, whose density stays.",
            paper="Frankle & Carbin, 2019",
            code="ltr.arms.mask_sources:layerwise",
        ),
        Shuffle(
            name="by_input",
            doc="Shuffled among the outputs of each input, whose number of connections stays.",
            code="ltr.arms.mask_sources:by_input",
            reads_inputs=True,
        ),
        Shuffle(
            name="global",
            doc="Shuffled over all layers together: the density of the network stays.",
            code="ltr.arms.mask_sources:globally",
        ),
        Shuffle(
            name="even",
            doc="As many random connections, every layer of the same density.",
            code="ltr.arms.mask_sources:evenly",
        ),
        Shuffle(
            name="erk",
            doc="As many random connections, every layer of its Erdos-Renyi-Kernel density.",
            paper="Evci et al., 2020",
            code="ltr.arms.mask_sources:erdos_renyi_kernel",
            reads_inputs=True,
        ),
    ],
)


@dataclass(frozen=True, kw_only=True)
class WeightsEntry(Entry):
    """Weights that an arm may start from; its code: `ArmContext`, the arm's `Subnetwork`, key -> weights.

    Attributes:
        is_random: whether another draw is other weights.
        has_random_signs_alone: whether they are the same in every draw but for their signs.
    """

    is_random: bool = False
    has_random_signs_alone: bool = False


WEIGHTS: Registry[WeightsEntry] = Registry(
    "arm.NAME.weights",
    "source of weights",
    [
        WeightsEntry(
            name="own",
            doc="Weights that belong to the mask: those that the survivors were rewound to.",
            code="ltr.arms.weights:own",
        ),
        WeightsEntry(
            name="initial",
            doc="Weights at initialisation, whatever the rewind step.",
            code="ltr.arms.weights:initial",
        ),
        WeightsEntry(
            name="reinit",
            doc="Fresh draw of the initialiser.",
            paper="Frankle & Carbin, 2019",
            code="ltr.arms.weights:reinit",
            is_random=True,
        ),
        WeightsEntry(
            name="reshuffled",
            doc="Own weights, permuted among the survivors of each layer.",
            paper="Zhou et al., 2019",
            code="ltr.arms.weights:reshuffled",
            is_random=True,
        ),
        WeightsEntry(
            name="constant",
            doc="Deviation of the layer's initial weights, plus or minus by a coin.",
            paper="Zhou et al., 2019",
            code="ltr.arms.weights:constant",
            is_random=True,
            has_random_signs_alone=True,
        ),
    ],
)


@dataclass(frozen=True, kw_only=True)
class PrunedEntry(Entry):
    """What becomes of pruned weights; its code: `ArmContext`, mask, weights -> weights.

    Attributes:
        are_zero: whether they are zero, so that weight decay does not move them.
    """

    are_zero: bool = False


PRUNED: Registry[PrunedEntry] = Registry(
    "arm.NAME.pruned",
    "treatment of pruned weights",
    [
        PrunedEntry(name="zero", doc="Set to zero.", code="ltr.arms.weights:zero", are_zero=True),
        PrunedEntry(
            name="frozen",
            doc="Frozen at their initial values.",
            paper="Zhou et al., 2019",
            code="ltr.arms.weights:frozen",
        ),
        PrunedEntry(
            name="frozen_if_grown",
            doc="Frozen at their initial values, but zero where the dense training made them smaller.",
            paper="Zhou et al., 2019",
            code="ltr.arms.weights:frozen_if_grown",
        ),
    ],
)
