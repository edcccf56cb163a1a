"""Lengths of trainings."""

import dataclasses
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator


@dataclasses.dataclass(frozen=True)
class Duration:
    """Length of a training, in optimizer steps or in epochs."""

    amount: int
    unit: Literal["", "ep"] = ""

    @classmethod
    def parse(cls, text: Any) -> Self:
        """Parse `50000` as steps and `20ep` as epochs; ValueError for anything else."""
        if isinstance(text, cls):
            return text
        match = re.fullmatch(r"(\d+)(ep)?", str(text))
        if match is None or isinstance(text, bool):
            raise ValueError("not a duration")
        return cls(int(match[1]), "ep" if match[2] else "")

    def in_steps(self, steps_per_epoch: int) -> int:
        return self.amount * (steps_per_epoch if self.unit else 1)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


Steps = Annotated[Duration, BeforeValidator(Duration.parse)]
