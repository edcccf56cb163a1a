"""Knobs of the claims that are tested."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ltr.config.schema.markers import STRICT, NameIn, OfLane, OfMachine

LOOKS = (5, 8, 13, 20, 30, 50, 80, 130, 200)
"""Numbers of replicates after which `replicates=auto` tests the claims; few, as each look costs power."""


@dataclass(frozen=True, config=STRICT)
class Claims:
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(
            description="densities at which claims are tested, each in the nearest round; choose them before "
            "the first result (if empty, or no round is near, every round is tested, with less power)"
        ),
        OfMachine(),
        OfLane(),
    ] = (0.51, 0.21, 0.11, 0.036)
    decide: Annotated[
        tuple[Annotated[str, NameIn("ltr.analysis.registry:CLAIMS")], ...],
        Field(min_length=1, description="claims that must be decided before replicates=auto stops"),
        OfMachine(),
        OfLane(),
    ] = ("weights", "structure")
    most: Annotated[
        int | None,
        Field(
            ge=3,
            description="largest number of replicates; replicates are added up to it until the claims of "
            "claims.decide are decided (null: none are added, but up to 30 with replicates=auto)",
        ),
        OfMachine(),
        OfLane(),
    ] = None

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of replicates after which the claims are tested; empty if no replicates may be added."""
        return () if self.most is None else (*(look for look in LOOKS if look < self.most), self.most)
