"""MLflow: a run of the experiment `ltr`, in `MLFLOW_TRACKING_URI` or `<output_root>/mlflow.db`."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from ltr.trackers import Scalar

EXPERIMENT = "ltr"
BATCH = 1000
"""Metrics that MLflow takes at once."""


class MLflow:
    """Look with: mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db"""

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any]) -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').absolute()}"
        self._client = MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        named = f"tags.mlflow.runName = '{run}'"
        runs = self._client.search_runs([experiment], named, max_results=1)
        self._run = (runs[0] if runs else self._client.create_run(experiment, run_name=run)).info.run_id
        self._client.update_run(self._run, status="RUNNING")
        params = [Param(name, str(value)[:6000]) for name, value in config.items()]
        self._client.log_batch(self._run, params=params)

    def add(self, scalars: list[Scalar]) -> None:
        """Log them, `<arm>/<name>`."""
        now = round(1000 * time.time())
        metrics = [Metric(f"{one.arm}/{one.name}", one.value, now, one.step) for one in scalars]
        for first in range(0, len(metrics), BATCH):
            self._client.log_batch(self._run, metrics=metrics[first : first + BATCH])

    def close(self) -> None:
        """Mark it finished."""
        self._client.set_terminated(self._run)
