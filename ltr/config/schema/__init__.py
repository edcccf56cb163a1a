"""Schema of an experiment: the type, meaning, unit, default and bounds of every knob.

`configs/` and the command line compose to an `Experiment`. All other code receives it, or a part of it,
as a plain frozen dataclass.
"""

from ltr.config.schema.claims import Claims
from ltr.config.schema.duration import WHOLE, Duration, PartialDuration
from ltr.config.schema.experiment import Experiment, Hosts
from ltr.config.schema.markers import (
    STRICT,
    AsTyped,
    Auto,
    Extends,
    FilePath,
    NameIn,
    NotInRunId,
    OfLane,
    OfMachine,
    OptionsOf,
)
from ltr.config.schema.plain import to_dict
from ltr.config.schema.pruning import Arm, LayerRates, Pruning, Rewind
from ltr.config.schema.training import Dataset, Model, Optimizer

__all__ = [
    "STRICT",
    "WHOLE",
    "Arm",
    "AsTyped",
    "Auto",
    "Claims",
    "Dataset",
    "Duration",
    "Experiment",
    "Extends",
    "FilePath",
    "Hosts",
    "LayerRates",
    "Model",
    "NameIn",
    "NotInRunId",
    "OfLane",
    "OfMachine",
    "Optimizer",
    "OptionsOf",
    "PartialDuration",
    "Pruning",
    "Rewind",
    "to_dict",
]
