"""Methods of training, by name and without JAX; the code of each is in a module of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ltr.registry import Entry, Registry


class Note(NamedTuple):
    """A column that a method adds to the results table; null for lanes that other methods train.

    Attributes:
        name: of the column.
        type: of its values.
        doc: one line on what they are, with the unit.
    """

    name: str
    type: Literal["int32", "float64", "bool", "string"]
    doc: str


@dataclass(frozen=True, kw_only=True)
class MethodEntry(Entry):
    """A method of training; its code: `ltr.methods.method.MethodContext` -> `Method`.

    Attributes:
        trains_scores: whether scores decide which of the weights are used, and the weights stay as they are.
        reads_inputs: whether it has to know which dimensions of kernels are inputs.
        needs: knobs of an arm without which the method has no meaning, and their values.
        all_gradients: "module:function" of steps (an array) and the steps of the dense training that says in
            which of them the gradients of all weights are computed; empty if in none.
        check: "module:function" that is called with the name of the arm, and the steps of the dense and of
            later trainings, and raises ConfigError if the method would do nothing; imports no JAX.
        notes: columns that it adds to the results table.
    """

    trains_scores: bool = False
    reads_inputs: bool = False
    needs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    all_gradients: str = ""
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
"""An arm that starts from all of the initial weights."""

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
            name="rigl",
            doc="RigL: trains weights, and moves connections while it does.",
            paper="Evci et al., 2020",
            code="ltr.methods.rigl:build",
            needs={"pruned": "zero"},
            all_gradients="ltr.methods.rigl_schedule:is_move",
            check="ltr.methods.rigl_schedule:check",
        ),
        MethodEntry(
            name="supermask",
            doc="Trains the odds with which each of the frozen initial weights is used.",
            paper="Zhou et al., 2019",
            code="ltr.methods.supermask:build",
            trains_scores=True,
            needs=_ALL_INITIAL,
        ),
        MethodEntry(
            name="edge_popup",
            doc="Trains scores, by which the best of the frozen initial weights are used.",
            paper="Ramanujan et al., 2020",
            code="ltr.methods.edge_popup:build",
            trains_scores=True,
            reads_inputs=True,
            needs=_ALL_INITIAL,
        ),
    ],
)

WATCHED: Registry[MethodEntry] = Registry(
    "early_bird",
    "watched method",
    [
        MethodEntry(
            name="early_bird",
            doc="Trains weights, and looks when the next mask could have been drawn.",
            paper="You et al., 2020",
            code="ltr.methods.early_bird:build",
            notes=(
                Note(
                    "early_bird_step",
                    "int32",
                    "first step at which the next mask could have been drawn; null if there was none",
                ),
            ),
        ),
    ],
)
"""Methods of the ticket that a run asks for by a knob of its own; they train like `WEIGHTS_ALONE`."""


def method(name: str) -> MethodEntry:
    """Return the method, watched or not; ConfigError if there is none."""
    return WATCHED[name] if name in WATCHED else METHODS[name]
