"""Titles of figures, tables and pages."""

from ltr.config.schema import Experiment
from ltr.data import registry as data
from ltr.models import registry as models


def title(experiment: Experiment) -> str:
    """Return network and data set as papers write them, such as `LeNet-300-100 on MNIST`."""
    return f"{models.title(experiment.model)} on {data.title(experiment.dataset)}"


def setting(experiment: Experiment) -> str:
    """Return batch size and optimizer, such as `batch 60, adam`."""
    return f"batch {experiment.batch_size}, {experiment.optimizer.name}"
