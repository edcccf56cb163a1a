"""Knobs of what is pruned, what it is rewound to, and the arms that it is compared with."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ltr.config.schema.duration import WHOLE, PartialSteps
from ltr.config.schema.markers import STRICT, Extends, NameIn, OfLane


@dataclass(frozen=True, config=STRICT)
class LayerRates:
    """Prune rate of each layer type, as a multiple of `prune_rate`."""

    conv: Annotated[
        float,
        Field(ge=0, description="prune rate of convolutions, as a multiple of prune_rate (0: never pruned)"),
        OfLane(),
    ] = 1.0
    dense: Annotated[
        float,
        Field(ge=0, description="prune rate of dense layers, as a multiple of prune_rate (0: never pruned)"),
        OfLane(),
    ] = 1.0
    output: Annotated[
        float,
        Field(
            ge=0, description="prune rate of the output layer, as a multiple of prune_rate (0: never pruned)"
        ),
        OfLane(),
    ] = 0.5
    shortcut: Annotated[
        float,
        Field(
            ge=0,
            description="prune rate of convolutions around residual blocks, as a multiple of prune_rate",
        ),
        OfLane(),
    ] = 0.0


@dataclass(frozen=True, config=STRICT)
class Pruning:
    criterion: Annotated[
        str,
        Field(description="score of a trained weight; the weights with the lowest scores are pruned"),
        NameIn("ltr.pruning.registry:CRITERIA"),
        OfLane(),
    ] = "magnitude"
    sign: Annotated[
        str,
        Field(description="condition on the sign of a weight after training; weights that fail it go first"),
        NameIn("ltr.pruning.registry:SIGNS"),
        OfLane(),
    ] = "any"
    scope: Annotated[
        str,
        Field(
            description="division of the pruned weights among the layers: each layer by its own rate "
            "(layerwise), all layers together (global), equal densities (uniform), or Erdos-Renyi-Kernel "
            "densities (erk)"
        ),
        NameIn("ltr.pruning.registry:SCOPES"),
        OfLane(),
    ] = "layerwise"
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(description="falling densities of rounds 1, 2, ... that replace prune_rate (not layerwise)"),
        OfLane(),
    ] = ()
    rates: LayerRates = LayerRates()


@dataclass(frozen=True, config=STRICT)
class Rewind:
    name: Annotated[
        str,
        Field(description="state from which surviving weights are trained again"),
        NameIn("ltr.pruning.registry:REWINDINGS"),
        OfLane(),
    ] = "weights"


@dataclass(frozen=True, config=STRICT)
class Arm:
    mask: Annotated[
        str,
        Field(
            description="source of the mask: the ticket, the dense network pruned in one shot, a score at "
            "initialisation, or a search: by the training of another arm, or by pruning this arm again"
        ),
        NameIn("ltr.arms.registry:MASKS"),
        OfLane(),
    ] = "ticket"
    mask_replicate: Annotated[
        int | None,
        Field(ge=0, description="replicate whose ticket gives the mask (null: the lane's own)"),
        OfLane(),
    ] = None
    found_by: Annotated[
        str | None,
        Field(description="arm whose training finds the mask, with mask=found"),
        OfLane(),
    ] = None
    prune_every: Annotated[
        int,
        Field(ge=1, description="rounds that one pruning of this arm takes together, with mask=iterated"),
        OfLane(),
    ] = 1
    search_steps: Annotated[
        PartialSteps,
        Field(description="length of the trainings of an arm that searches for masks (100%: as of all arms)"),
        OfLane(),
    ] = WHOLE
    search_batches: Annotated[
        int,
        Field(ge=1, description="batches that a step of an arm that searches for masks takes together"),
    ] = 1
    invert: Annotated[
        bool,
        Field(description="whether scores, at initialisation or of a search, prune their highest values"),
        OfLane(),
    ] = False
    shuffle: Annotated[
        str,
        Field(description="shuffling of the mask, a control of its structure"),
        NameIn("ltr.arms.registry:SHUFFLES"),
        OfLane(),
    ] = "none"
    weights: Annotated[
        str,
        Field(description="source of the starting weights"),
        NameIn("ltr.arms.registry:WEIGHTS"),
        OfLane(),
    ] = "own"
    keep_signs: Annotated[
        bool,
        Field(description="whether the starting weights take the signs that weights=own would have"),
        OfLane(),
    ] = False
    noise: Annotated[
        float,
        Field(
            ge=0,
            description="standard deviation of Gaussian noise added to the starting weights, in standard "
            "deviations of the initial weights of the layer",
        ),
        OfLane(),
    ] = 0.0
    pruned: Annotated[
        str,
        Field(description="values of the pruned weights during training"),
        NameIn("ltr.arms.registry:PRUNED"),
        OfLane(),
    ] = "zero"
    method: Annotated[
        str,
        Field(description="training method: of weights, of connections, or of scores of fixed weights"),
        NameIn("ltr.methods.registry:METHODS"),
    ] = "weights"
    order: Annotated[
        Literal["replicate", "draw"],
        Field(
            description="data order, with augmentation and dropout; replicate: that of the replicate and "
            "round, which arms share; draw: one for each draw, which replicates share"
        ),
        OfLane(),
    ] = "replicate"
    draws: Annotated[
        int,
        Field(
            ge=1,
            description="trainings of this arm in each replicate and round, each with its own random draws",
        ),
        Extends(),
        OfLane(),
    ] = 1
