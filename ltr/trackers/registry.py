"""Registry of trackers; it imports none of their packages."""

from dataclasses import dataclass

from ltr.registry import Entry, Registry


@dataclass(frozen=True, kw_only=True)
class TrackerEntry(Entry):
    """A tracker; `code` is a `ltr.trackers.tracker.Tracker`, empty for no tracking.

    Attributes:
        package: module that the tracker imports.
    """

    package: str = ""


TRACKERS: Registry[TrackerEntry] = Registry(
    "tracker",
    "tracker",
    [
        TrackerEntry(name="none", doc="No tracking."),
        TrackerEntry(
            name="tensorboard",
            doc="Event files of TensorBoard, beside the run folder.",
            code="ltr.trackers.tensorboard:TensorBoard",
            package="tensorboardX",
        ),
        TrackerEntry(
            name="mlflow",
            doc="MLflow, in a local database or on a tracking server.",
            code="ltr.trackers.mlflow:MLflow",
            package="mlflow",
        ),
        TrackerEntry(
            name="wandb",
            doc="Weights & Biases.",
            code="ltr.trackers.wandb:WeightsAndBiases",
            package="wandb",
        ),
    ],
)
