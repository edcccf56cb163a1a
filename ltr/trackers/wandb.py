"""Weights & Biases: a run of the project `ltr`; WANDB_MODE=offline keeps it in `<output_root>/wandb`.

Runs of one folder, of more replicates or draws each, are a group. Offline W&B does not know what a run of
that name has already, so the folder of each session holds all rounds: `wandb sync` the last alone.
"""

import wandb

from ltr.trackers.tracking import End, Scalar, Subject

PROJECT = "ltr"

EXIT_CODES = {"finished": 0, "stopped": 130, "failed": 1}


class WeightsAndBiases:
    """Curves are drawn against `step`, what rounds end with against `round_number`."""

    def __init__(self, subject: Subject) -> None:
        self._run = wandb.init(
            project=PROJECT,
            group=subject.folder.name,
            name=subject.name,
            id=subject.name,
            resume="allow",
            dir=str(subject.folder.parent),
        )
        self.is_new = not self._run.resumed
        knobs = {**subject.knobs, **subject.extent}
        self._run.config.update(knobs, allow_val_change=True)  # more rounds, of a run that is resumed
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

    def close(self, end: End) -> None:
        """Finish it."""
        self._run.finish(exit_code=EXIT_CODES[end])
