"""MLflow: a run of the experiment `ltr`, in `MLFLOW_TRACKING_URI` or `<output_root>/mlflow.db`.

MLflow refuses a parameter that changes. So parameters are the knobs that never do, logged once; how much
was asked for, which grows, is in tags. A run of more replicates or draws is the child of the first.
"""

import os
import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from ltr.trackers.tracking import End, Scalar, Subject

EXPERIMENT = "ltr"
BATCH = 1000
"""Metrics that MLflow takes at once."""

FOLDER = "ltr.run"
"""The tag that says which run folder it is of."""

STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MLflow:
    """Look with: mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db"""

    def __init__(self, subject: Subject) -> None:
        database = (subject.folder.parent / "mlflow.db").absolute()
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database}")
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        same = self._first(experiment, f"tags.mlflow.runName = '{subject.name}'")
        self.is_new = same is None
        self._run = self._create(experiment, subject) if same is None else same.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        tags = [RunTag(f"ltr.{name}", str(value)[:5000]) for name, value in subject.extent.items()]
        self._client.log_batch(self._run, tags=tags)

    def add(self, scalars: list[Scalar]) -> None:
        """Log them, `<arm>/<name>`."""
        now = round(1000 * time.time())
        metrics = [Metric(f"{one.arm}/{one.name}", one.value, now, one.step) for one in scalars]
        for first in range(0, len(metrics), BATCH):
            self._client.log_batch(self._run, metrics=metrics[first : first + BATCH])

    def close(self, end: End) -> None:
        """Say how it ended."""
        self._client.set_terminated(self._run, STATUS[end])

    def _create(self, experiment: str, subject: Subject) -> str:
        """A run with its parameters, below the first of the same folder."""
        parent = self._first(experiment, f"tags.{FOLDER} = '{subject.folder.name}'")
        tags = {FOLDER: subject.folder.name}
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.info.run_id
        run: str = self._client.create_run(experiment, run_name=subject.name, tags=tags).info.run_id
        params = [Param(name, str(value)[:6000]) for name, value in subject.knobs.items()]
        self._client.log_batch(run, params=params)
        return run

    def _first(self, experiment: str, which: str) -> Run | None:
        """The oldest run of which this holds."""
        runs = self._client.search_runs([experiment], which, max_results=1, order_by=["start_time ASC"])
        return runs[0] if runs else None
