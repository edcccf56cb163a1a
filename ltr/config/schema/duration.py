"""Lengths of trainings."""

import dataclasses
import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator


@dataclasses.dataclass(frozen=True)
class Duration:
    """Length of a training, in optimizer steps or in epochs."""

    UNITS: ClassVar[tuple[str, ...]] = ("", "ep")

    amount: int
    unit: str = ""

    @classmethod
    def parse(cls, text: Any) -> Self:
        """Parse `50000` as steps and `20ep` as epochs; ValueError for anything else."""
        if isinstance(text, cls):
            return text
        match = re.fullmatch(r"(\d+)(\D*)", str(text))
        if match is None or match[2] not in cls.UNITS or isinstance(text, bool):
            raise ValueError("not a duration")
        return cls(int(match[1]), match[2])

    def in_steps(self, steps_per_epoch: int) -> int:
        return self.amount * (steps_per_epoch if self.unit else 1)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


@dataclasses.dataclass(frozen=True)
class PartialDuration(Duration):
    """Length of a training, in optimizer steps, in epochs, or in percent of another one."""

    UNITS: ClassVar[tuple[str, ...]] = ("", "ep", "%")

    def of(self, whole: int, steps_per_epoch: int) -> int:
        """Return the number of steps; a share of `whole` steps is rounded down."""
        return self.amount * whole // 100 if self.unit == "%" else self.in_steps(steps_per_epoch)


WHOLE = PartialDuration(100, "%")
"""Length of a training that is as long as the other one."""

Steps = Annotated[Duration, BeforeValidator(Duration.parse)]

PartialSteps = Annotated[PartialDuration, BeforeValidator(PartialDuration.parse)]
