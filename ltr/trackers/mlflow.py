"""MLflow: a run of the experiment `ltr`, in `MLFLOW_TRACKING_URI` or `<output_root>/mlflow.db`.

MLflow refuses to change a parameter, so only knobs that never change are parameters. The numbers of rounds,
replicates and draws can grow, so they are tags. A run of more replicates or draws is a child of the first run
of the same folder.
"""

import os
import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from ltr.trackers.tracker import End, Scalar, Subject

EXPERIMENT = "ltr"
BATCH = 1000
"""Largest number of metrics in a request to MLflow."""

FOLDER = "ltr.run"
"""Tag with the name of the run folder."""

STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MLflow:
    """MLflow tracker; `mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db` shows the runs."""

    def __init__(self, subject: Subject) -> None:
        database = (subject.beside / "mlflow.db").absolute()
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database}")
        known = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else self._client.create_experiment(EXPERIMENT)
        existing = self._first(experiment, f"tags.mlflow.runName = '{subject.name}'")
        self.is_new = existing is None
        self._run = self._create(experiment, subject) if existing is None else existing.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        tags = [RunTag(f"ltr.{name}", str(value)[:5000]) for name, value in subject.extent.items()]
        self._client.log_batch(self._run, tags=tags)

    def add(self, scalars: list[Scalar]) -> None:
        """Log scalars as `<arm>/<name>`."""
        now = round(1000 * time.time())
        metrics = [
            Metric(f"{scalar.arm}/{scalar.name}", scalar.value, now, scalar.step) for scalar in scalars
        ]
        for first in range(0, len(metrics), BATCH):
            self._client.log_batch(self._run, metrics=metrics[first : first + BATCH])

    def close(self, end: End) -> None:
        """Set the status of the run."""
        self._client.set_terminated(self._run, STATUS[end])

    def _create(self, experiment: str, subject: Subject) -> str:
        """Create a run with its parameters, as a child of the first run of the same folder."""
        parent = self._first(experiment, f"tags.{FOLDER} = '{subject.folder.name}'")
        tags = {FOLDER: subject.folder.name}
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.info.run_id
        run: str = self._client.create_run(experiment, run_name=subject.name, tags=tags).info.run_id
        params = [Param(name, str(value)[:6000]) for name, value in subject.knobs.items()]
        self._client.log_batch(run, params=params)
        return run

    def _first(self, experiment: str, condition: str) -> Run | None:
        """Return the oldest run that satisfies a condition."""
        runs = self._client.search_runs([experiment], condition, max_results=1, order_by=["start_time ASC"])
        return runs[0] if runs else None
