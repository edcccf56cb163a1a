"""Titles of figures and pages."""

from ltr.config.schema import Experiment
from ltr.data import registry as data
from ltr.models import registry as models


def title(experiment: Experiment) -> str:
    """Network and data set as papers write them: `LeNet-300-100 on MNIST`."""
    return f"{models.title(experiment.model)} on {data.title(experiment.dataset)}"
