"""The claims of Frankle & Carbin (2019), by name; their tests are in `ltr.analysis.claims`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ltr.registry import Entry, Registry

if TYPE_CHECKING:
    import pandas as pd

    from ltr.analysis.claims import Evidence

_PAPER = "Frankle & Carbin, 2019"


@dataclass(frozen=True, kw_only=True)
class Claim(Entry):
    """A claim about the ticket; `doc` states it in full.

    `code` is a function from lanes (see `ltr.analysis.claims.by_replicate`), round and arm to the evidence
    for the claim in that round.

    Attributes:
        short: the claim in a few words for a headline; its subject is "the ticket".
        arm: control that the ticket is compared with; `ticket` means the dense network.
        first_round: first round in which the claim is tested.
    """

    short: str
    arm: str = "ticket"
    first_round: int = 1

    @property
    def says(self) -> str:
        """Predicate of the claim; its subject is "the ticket"."""
        return self.doc.removeprefix("The ticket ").removesuffix(".")

    def tests(self, lanes: "pd.DataFrame", round_number: int) -> "Sequence[Evidence]":
        """Return the tests of the claim in a round, which all have to hold; none before `first_round`."""
        evidence: Sequence[Evidence] = (
            self.load()(lanes, round_number, self.arm) if round_number >= self.first_round else ()
        )
        return evidence


CLAIMS: Registry[Claim] = Registry(
    "claims.decide",
    "claim",
    [
        Claim(
            name="matches",
            doc="The ticket is at most 0.2 points less accurate than the dense network.",
            paper="Frankle et al., 2020",
            code="ltr.analysis.claims:matches",
            short="matches the dense network",
        ),
        Claim(
            name="wins",
            doc="The ticket wins: it is more accurate than the dense network and learns faster.",
            paper=_PAPER,
            code="ltr.analysis.claims:wins",
            short="wins over the dense network",
        ),
        Claim(
            name="faster",
            doc="The ticket learns faster than the dense network.",
            paper=_PAPER,
            code="ltr.analysis.claims:faster",
            short="learns faster than the dense network",
        ),
        Claim(
            name="weights",
            doc="The ticket needs its own initial weights: fresh ones are worse.",
            paper=_PAPER,
            code="ltr.analysis.claims:better_than",
            short="is more accurate than with fresh weights",
            arm="random_reinit",
        ),
        Claim(
            name="structure",
            doc="The ticket needs its own connections: random ones are worse.",
            paper=_PAPER,
            code="ltr.analysis.claims:better_than",
            short="is more accurate than a random mask",
            arm="random_mask",
        ),
        Claim(
            name="iterating",
            doc="The ticket is found by iterating: one-shot pruning is worse.",
            paper=_PAPER,
            code="ltr.analysis.claims:better_than",
            short="is more accurate than one-shot pruning",
            arm="one_shot",
            first_round=2,
        ),
        Claim(
            name="weights_speed",
            doc="The ticket learns faster than with fresh initial weights.",
            paper=_PAPER,
            code="ltr.analysis.claims:faster_than",
            short="learns faster than with fresh weights",
            arm="random_reinit",
        ),
        Claim(
            name="structure_speed",
            doc="The ticket learns faster than with random connections.",
            paper=_PAPER,
            code="ltr.analysis.claims:faster_than",
            short="learns faster than a random mask",
            arm="random_mask",
        ),
        Claim(
            name="iterating_speed",
            doc="The ticket learns faster than one-shot pruning.",
            paper=_PAPER,
            code="ltr.analysis.claims:faster_than",
            short="learns faster than one-shot pruning",
            arm="one_shot",
            first_round=2,
        ),
    ],
)
"""Claims of the paper, about accuracy and about speed, which usually needs fewer replicates to decide."""
