"""Registry of the methods of training; importable without JAX. Each method's code has its own module."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from ltr.registry import Entry, Registry


class Note(NamedTuple):
    """A column that a method adds to the results table; null for lanes that other methods train.

    Attributes:
        name: name of the column.
        type: type of its values.
        doc: one line that describes them, with the unit.
    """

    name: str
    type: Literal["int32", "float64", "bool", "string"]
    doc: str


class MaskUse(StrEnum):
    """How much of a mask something depends on, from the least to the most."""

    TOTAL = "total"
    """The number of weights of the network."""

    TARGET = "target"
    """The target of its round: the number of weights of the network, or of each layer, as the scope says."""

    LAYER_COUNTS = "layer counts"
    """The number of weights of each layer."""

    MASK = "mask"
    """The mask itself."""


@dataclass(frozen=True, kw_only=True)
class MethodEntry(Entry):
    """A method of training. Its code: `ltr.methods.method.MethodContext` -> `Method`.

    Attributes:
        trains_scores: whether it trains scores, which choose among weights that stay fixed.
        finds_mask: whether its trainings find a mask, which arms of `mask=found` can take.
        has_scores: whether that mask has the highest of some scores, so that it can be inverted.
        needs_target: whether it needs to know how many weights the next round keeps.
        reads: how much of the mask that it starts from its trainings depend on.
        reads_inputs: whether it needs to know which dimensions of kernels are inputs.
        needs: knobs of an arm, with the values that the method requires.
        check: "module:function" that is called with the name of the arm, the steps of the dense training, and
            the first and last step of later trainings. It raises ConfigError if the method would do nothing,
            and imports no JAX.
        notes: columns that it adds to the results table.
    """

    trains_scores: bool = False
    finds_mask: bool = False
    has_scores: bool = False
    needs_target: bool = False
    reads: MaskUse = MaskUse.MASK
    reads_inputs: bool = False
    needs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    check: str = ""
    notes: tuple[Note, ...] = ()


WEIGHTS_ALONE = "weights"
"""Default method."""

_ALL_INITIAL = {
    "shuffle": "none",
    "weights": "initial",
    "keep_signs": False,
    "noise": 0.0,
    "pruned": "frozen",
}
"""Knobs of an arm that starts from all initial weights."""

_ALL_REWOUND = {
    "shuffle": "none",
    "weights": "rewound",
    "keep_signs": False,
    "noise": 0.0,
    "pruned": "kept",
}
"""Knobs of an arm that starts from all weights at the rewind step."""

YOU = "You et al., 2020"

EARLY_BIRD_STEP = Note(
    "early_bird_step",
    "int32",
    "first step at which the next mask could have been drawn; null if there was none",
)

METHODS: Registry[MethodEntry] = Registry(
    "arm.NAME.method",
    "method",
    [
        MethodEntry(
            name=WEIGHTS_ALONE,
            doc="Trains the weights that the mask keeps.",
            code="ltr.methods.weights:build",
        ),
        MethodEntry(
            name="until_early_bird",
            doc="Trains weights until the next mask could be drawn, where mask=iterated.",
            paper=YOU,
            code="ltr.methods.early_bird:until",
            needs_target=True,
            notes=(EARLY_BIRD_STEP,),
        ),
        MethodEntry(
            name="rigl",
            doc="RigL: trains weights, and moves connections while it does.",
            paper="Evci et al., 2020",
            code="ltr.methods.rigl:build",
            finds_mask=True,
            needs={"pruned": "zero"},
            check="ltr.methods.rigl_schedule:check",
        ),
        MethodEntry(
            name="supermask",
            doc="Trains the probability that each frozen initial weight is used.",
            paper="Zhou et al., 2019",
            code="ltr.methods.supermask:build",
            trains_scores=True,
            finds_mask=True,
            has_scores=True,
            reads=MaskUse.LAYER_COUNTS,
            needs=_ALL_INITIAL,
        ),
        MethodEntry(
            name="edge_popup",
            doc="Trains a score for each frozen initial weight; those of the highest scores are used.",
            paper="Ramanujan et al., 2020",
            code="ltr.methods.edge_popup:build",
            trains_scores=True,
            finds_mask=True,
            has_scores=True,
            reads=MaskUse.LAYER_COUNTS,
            reads_inputs=True,
            needs=_ALL_INITIAL,
        ),
        MethodEntry(
            name="gem_miner",
            doc="Gem-Miner: trains a score for each frozen weight, and gradually freezes low ones at zero.",
            paper="Sreenivasan et al., 2022",
            code="ltr.methods.gem_miner:build",
            trains_scores=True,
            finds_mask=True,
            has_scores=True,
            reads=MaskUse.TOTAL,
            needs=_ALL_REWOUND,
        ),
        MethodEntry(
            name="concrete",
            doc="Concrete Ticket Search: trains soft gates of frozen weights by the loss.",
            paper="Arora & Teuscher, 2025",
            code="ltr.methods.concrete:by_task",
            trains_scores=True,
            finds_mask=True,
            has_scores=True,
            reads=MaskUse.TOTAL,
            needs=_ALL_REWOUND,
        ),
        MethodEntry(
            name="concrete_kl",
            doc="Concrete Ticket Search: trains soft gates of frozen weights to answer as the dense network.",
            paper="Arora & Teuscher, 2025",
            code="ltr.methods.concrete:by_dense_network",
            trains_scores=True,
            finds_mask=True,
            has_scores=True,
            reads=MaskUse.TOTAL,
            needs=_ALL_REWOUND,
        ),
        MethodEntry(
            name="bernoulli_gates",
            doc="Trains relaxed Bernoulli gates of frozen weights, with a penalty on open ones.",
            paper="Tsayag & Lindenbaum, 2026",
            code="ltr.methods.bernoulli_gates:build",
            trains_scores=True,
            finds_mask=True,
            has_scores=True,
            reads=MaskUse.TOTAL,
            needs=_ALL_REWOUND,
        ),
        MethodEntry(
            name="gradual",
            doc="Trains weights, and prunes the smallest ever more slowly while it does.",
            paper="Zhu & Gupta, 2017",
            code="ltr.methods.gradual:cubic",
            finds_mask=True,
            reads=MaskUse.TARGET,
            needs=_ALL_REWOUND,
        ),
        MethodEntry(
            name="gradual_linear",
            doc="Trains weights, and prunes equally many of the smallest at a time while it does.",
            paper="Zhu & Gupta, 2017",
            code="ltr.methods.gradual:linear",
            finds_mask=True,
            reads=MaskUse.TARGET,
            needs=_ALL_REWOUND,
        ),
    ],
)

WATCHED: Registry[MethodEntry] = Registry(
    "early_bird",
    "watched method",
    [
        MethodEntry(
            name="early_bird",
            doc="Trains weights, and notes when the next mask could have been drawn.",
            paper=YOU,
            code="ltr.methods.early_bird:build",
            needs_target=True,
            notes=(EARLY_BIRD_STEP,),
        ),
    ],
)
"""Methods of the ticket that have their own knob; they train like `WEIGHTS_ALONE`."""


def method(name: str) -> MethodEntry:
    """Return the method of that name, watched or not; ConfigError if there is none."""
    return WATCHED[name] if name in WATCHED else METHODS[name]
