"""Trackers, by name, without the packages that they need."""

from dataclasses import dataclass

from ltr.registry import Entry, Registry


@dataclass(frozen=True, kw_only=True)
class TrackerEntry(Entry):
    """A place where others look on; its code is a `ltr.trackers.tracking.Tracker`, none where nobody does.

    Attributes:
        package: module that it imports.
    """

    package: str = ""


TRACKERS: Registry[TrackerEntry] = Registry(
    "tracker",
    "tracker",
    [
        TrackerEntry(name="none", doc="Nowhere."),
        TrackerEntry(
            name="tensorboard",
            doc="Event files of TensorBoard, beside the run folder.",
            code="ltr.trackers.tensorboard:TensorBoard",
            package="tensorboardX",
        ),
        TrackerEntry(
            name="mlflow",
            doc="A tracking store of MLflow.",
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
