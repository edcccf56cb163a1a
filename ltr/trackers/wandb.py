"""Weights & Biases: a run of the project `ltr`; WANDB_MODE=offline keeps it in `<output_root>/wandb`.

Runs of the same run folder, with different numbers of replicates or draws, form a group. Offline, W&B does
not know which rounds a run of that name has already, so the folder of each session has all rounds. Run
`wandb sync` on the last folder only.
"""

import wandb

from ltr.trackers.tracker import End, Scalar, Subject

PROJECT = "ltr"

EXIT_CODES = {"finished": 0, "stopped": 130, "failed": 1}


class WeightsAndBiases:
    """Weights & Biases tracker: curves against `step`, results of rounds against `round`."""

    def __init__(self, subject: Subject) -> None:
        self._run = wandb.init(
            project=PROJECT,
            group=subject.folder.name,
            name=subject.name,
            id=subject.name,
            resume="allow",
            dir=str(subject.beside),
        )
        self.is_new = not self._run.resumed
        knobs = {**subject.knobs, **subject.extent}
        self._run.config.update(knobs, allow_val_change=True)  # a resumed run may have more rounds
        self._run.define_metric("rounds/*", step_metric="round")
        self._run.define_metric("round_*", step_metric="step")

    def add(self, scalars: list[Scalar]) -> None:
        """Log scalars by step, as `round_<n>/<arm>/<name>` and `rounds/<arm>/<name>`."""
        rows: dict[tuple[str, int], dict[str, float]] = {}
        for scalar in scalars:
            group, _, name = scalar.name.rpartition("/")
            axis = "step" if group else "round"
            row = rows.setdefault((axis, scalar.step), {axis: scalar.step})
            row[f"{group or 'rounds'}/{scalar.arm}/{name}"] = scalar.value
        for row in rows.values():
            self._run.log(row)

    def close(self, end: End) -> None:
        """Finish the run."""
        self._run.finish(exit_code=EXIT_CODES[end])
