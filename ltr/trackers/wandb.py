"""Weights & Biases: a run of the project `ltr`; WANDB_MODE=offline keeps it in `<output_root>/wandb`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from ltr.trackers import Scalar

PROJECT = "ltr"


class WeightsAndBiases:
    """Curves are drawn against `step`, what rounds end with against `round`."""

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=PROJECT, name=run, id=run, resume="allow", dir=str(folder), config=dict(config)
        )
        self._run.define_metric("rounds/*", step_metric="round")
        self._run.define_metric("round_*", step_metric="step")

    def add(self, scalars: list[Scalar]) -> None:
        """Log them, those of a step together, `round_<n>/<arm>/<name>` and `rounds/<arm>/<name>`."""
        together: dict[tuple[str, int], dict[str, float]] = {}
        for one in scalars:
            group, _, name = one.name.rpartition("/")
            axis = "step" if group else "round"
            row = together.setdefault((axis, one.step), {axis: one.step})
            row[f"{group or 'rounds'}/{one.arm}/{name}"] = one.value
        for row in together.values():
            self._run.log(row)

    def close(self) -> None:
        """Finish it."""
        self._run.finish()
