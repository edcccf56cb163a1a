"""Registries of the parts of arms: masks, shuffles, weights, pruned weights; importable without JAX."""

from dataclasses import dataclass

from ltr.methods.registry import MaskUse
from ltr.registry import Entry, Registry


@dataclass(frozen=True, kw_only=True)
class MaskEntry(Entry):
    """A source of masks. Its code: `ArmContext` -> `Subnetwork`.

    Attributes:
        is_random: whether masks differ between draws.
        is_ticket: whether it is the mask of the ticket.
    """

    is_random: bool = False
    is_ticket: bool = False

    def differs_by_draw(self, invert: bool) -> bool:
        """Return whether masks differ between draws; `invert`: whether the highest scores are pruned."""
        return self.is_random


@dataclass(frozen=True, kw_only=True)
class AtInitEntry(MaskEntry):
    """A mask of the untrained network. Its code: `ltr.pruning.at_init.ScoringInput` -> mask."""


@dataclass(frozen=True, kw_only=True)
class ScoreEntry(AtInitEntry):
    """A score of untrained weights; the lowest are pruned. Its code: `ltr.pruning.at_init.Score`.

    Attributes:
        rounds: number of prunings of equal rate, each by the scores of the remaining network.
        gradients: gradients of all weights that a pruning computes; of a Hessian-vector product it has two.
        reads_batch: whether they are those of a batch of training examples, not of a single made-up one.
        is_random_inverted: whether masks differ between draws when the highest scores are pruned.
    """

    rounds: int = 1
    gradients: int = 0
    reads_batch: bool = True
    is_random_inverted: bool = False

    def differs_by_draw(self, invert: bool) -> bool:
        """Return whether masks differ between draws; `invert`: whether the highest scores are pruned."""
        return self.is_random_inverted if invert else self.is_random


MASKS: Registry[MaskEntry] = Registry(
    "arm.NAME.mask",
    "mask",
    [
        MaskEntry(
            name="ticket",
            doc="Mask that pruning found.",
            code="ltr.arms.mask_sources:ticket",
            is_ticket=True,
        ),
        MaskEntry(
            name="iterated",
            doc="Mask that pruning of this arm's own trainings found, which may be shorter or fewer.",
            code="ltr.arms.mask_sources:searched",
        ),
        MaskEntry(
            name="found",
            doc="Mask that the arm found_by found.",
            code="ltr.arms.mask_sources:searched",
        ),
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
            gradients=1,
            is_random=True,
            is_random_inverted=True,
        ),
        ScoreEntry(
            name="grasp",
            doc="GraSP: change of the gradient's norm without the weight, theta (H g).",
            paper="Wang et al., 2020",
            code="ltr.pruning.at_init:grasp",
            gradients=3,
            is_random=True,
            is_random_inverted=True,
        ),
        ScoreEntry(
            name="synflow",
            doc="SynFlow: share of the synaptic flow, without data.",
            paper="Tanaka et al., 2020",
            code="ltr.pruning.at_init:synflow",
            gradients=1,
            reads_batch=False,
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
    """A shuffle of a mask. Its code: mask, `ArmContext.kernels`, NumPy generator -> mask.

    Attributes:
        is_random: whether it changes the mask at all.
        keeps: how much of the mask it keeps.
        reads_inputs: whether it needs to know which dimensions of kernels are inputs.
    """

    is_random: bool = True
    keeps: MaskUse = MaskUse.MASK
    reads_inputs: bool = False


SHUFFLES: Registry[Shuffle] = Registry(
    "arm.NAME.shuffle",
    "shuffle",
    [
        Shuffle(name="none", doc="The mask as it is.", is_random=False),
        Shuffle(
            name="layerwise",
            doc="Shuffled within each layer, which keeps its density.",
            paper="Frankle & Carbin, 2019",
            code="ltr.arms.mask_sources:layerwise",
            keeps=MaskUse.LAYER_COUNTS,
        ),
        Shuffle(
            name="by_input",
            doc="Shuffled among the outputs of each input, which keeps its number of connections.",
            code="ltr.arms.mask_sources:by_input",
            reads_inputs=True,
        ),
        Shuffle(
            name="global",
            doc="Shuffled over all layers together, which keeps the density of the network only.",
            code="ltr.arms.mask_sources:globally",
            keeps=MaskUse.TOTAL,
        ),
        Shuffle(
            name="even",
            doc="Random mask of as many connections, with the same density in every layer.",
            code="ltr.arms.mask_sources:evenly",
            keeps=MaskUse.TOTAL,
        ),
        Shuffle(
            name="erk",
            doc="Random mask of as many connections, with Erdos-Renyi-Kernel densities of the layers.",
            paper="Evci et al., 2020",
            code="ltr.arms.mask_sources:erdos_renyi_kernel",
            keeps=MaskUse.TOTAL,
            reads_inputs=True,
        ),
    ],
)


@dataclass(frozen=True, kw_only=True)
class WeightsEntry(Entry):
    """A source of weights. Its code: `ArmContext`, the arm's `Subnetwork`, key -> weights.

    Attributes:
        is_random: whether weights differ between draws.
        reads_rewound: whether they come from the rewind step.
        has_random_signs_alone: whether only the signs of weights differ between draws.
        reads_trained: whether they come from the training that the ticket was pruned from.
    """

    is_random: bool = False
    reads_rewound: bool = False
    has_random_signs_alone: bool = False
    reads_trained: bool = False


WEIGHTS: Registry[WeightsEntry] = Registry(
    "arm.NAME.weights",
    "source of weights",
    [
        WeightsEntry(
            name="own",
            doc="Weights that belong to the mask: the values that its survivors were rewound to.",
            code="ltr.arms.weights:own",
            reads_rewound=True,
        ),
        WeightsEntry(
            name="initial",
            doc="Weights at initialisation, whatever the rewind step.",
            code="ltr.arms.weights:initial",
        ),
        WeightsEntry(
            name="rewound",
            doc="All weights at the rewind step, survivors or not.",
            code="ltr.arms.weights:rewound",
            reads_rewound=True,
        ),
        WeightsEntry(
            name="reinit",
            doc="Fresh draw of the initialiser.",
            paper="Frankle & Carbin, 2019",
            code="ltr.arms.weights:reinit",
            is_random=True,
        ),
        WeightsEntry(
            name="reinit_trained_signs",
            doc="Fresh draw with the signs of the trained weights that the ticket was pruned from.",
            paper="Oh et al., 2025",
            code="ltr.arms.weights:reinit_trained_signs",
            is_random=True,
            reads_trained=True,
        ),
        WeightsEntry(
            name="reshuffled",
            doc="Own weights, permuted among the survivors of each layer.",
            paper="Zhou et al., 2019",
            code="ltr.arms.weights:reshuffled",
            is_random=True,
            reads_rewound=True,
        ),
        WeightsEntry(
            name="constant",
            doc="Standard deviation of the layer's initial weights, with a random sign.",
            paper="Zhou et al., 2019",
            code="ltr.arms.weights:constant",
            is_random=True,
            has_random_signs_alone=True,
        ),
    ],
)


@dataclass(frozen=True, kw_only=True)
class PrunedEntry(Entry):
    """A treatment of pruned weights. Its code: `ArmContext`, mask, weights -> weights.

    Attributes:
        are_zero: whether pruned weights are zero, so that weight decay does not change them.
        reads_dense: whether they depend on the training of the dense network.
    """

    are_zero: bool = False
    reads_dense: bool = False


PRUNED: Registry[PrunedEntry] = Registry(
    "arm.NAME.pruned",
    "treatment of pruned weights",
    [
        PrunedEntry(name="zero", doc="Set to zero.", code="ltr.arms.weights:zero", are_zero=True),
        PrunedEntry(name="kept", doc="As the source of weights gives them.", code="ltr.arms.weights:kept"),
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
            reads_dense=True,
        ),
    ],
)
