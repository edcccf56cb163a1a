from typing import Annotated, Any

import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from ltr.config.parse import parse
from ltr.config.schema import Duration, Experiment, OfMachine, Optimizer
from ltr.experiment.compose import from_words
from ltr.store.identity import canonical, folder_name, run_id

GOLDEN = {
    "": "digits-lenet_300_100-7e2973b0a3",
    "experiment=mnist_lenet": "mnist-lenet_300_100-699e3a315f",
    "experiment=cifar10_conv2": "cifar10-conv2-59406d6622",
}


@pytest.mark.parametrize("words", GOLDEN)
def test_names_of_runs_do_not_drift(words: str) -> None:
    assert folder_name(from_words(words.split())) == GOLDEN[words]


def test_the_composed_default_is_the_default() -> None:
    assert run_id(from_words([])) == run_id(Experiment())


NOT_IN_ID: list[dict[str, Any]] = [
    {"rounds": 3},
    {"replicates": 8},
    {"arms": ["ticket"]},
    {"arm": {"random_reinit": {"draws": 15}}},
    {"output_root": "elsewhere"},
    {"data_dir": "elsewhere"},
    {"dataset": {"path": "elsewhere"}},
    {"devices": 1},
    {"lanes_per_device": 4},
    {"checkpoint_every": 1.0},
]


@pytest.mark.parametrize("values", NOT_IN_ID, ids=[next(iter(values)) for values in NOT_IN_ID])
def test_what_extends_a_run_or_cannot_change_its_numbers_is_no_part_of_it(values: dict[str, Any]) -> None:
    assert run_id(parse(values)) == run_id(Experiment())


OTHERS: list[dict[str, Any]] = [
    {"prune_rate": 0.3},
    {"seed": 1},
    {"steps": 1501},
    {"steps": "1500ep"},
    {"batch_size": 61},
    {"eval_every": 50},
    {"rewind_step": 10},
    {"dataset": {"name": "mnist"}},
    {"dataset": {"validation": 241}},
    {"dataset": {"augmentation": "crop_flip"}},
    {"dataset": {"sha256": "0123"}},
    {"model": {"name": "conv2"}},
    {"optimizer": {"name": "sgd"}},
    {"optimizer": {"learning_rate": 1e-3}},
    {"optimizer": {"drops": [10]}},
    {"pruning": {"criterion": "other"}},
    {"pruning": {"sign": "same"}},
    {"pruning": {"scope": "global"}},
    {"pruning": {"scope": "global", "densities": [0.05]}},
    {"pruning": {"scope": "global", "densities": [0.1]}},
    {"pruning": {"rates": {"output": 1.0}}},
    {"rewind": {"name": "other"}},
]


def test_everything_else_makes_it_another_run() -> None:
    ids = {run_id(parse(values)) for values in OTHERS}
    assert len(ids | {run_id(Experiment())}) == len(OTHERS) + 1


def test_an_id_does_not_depend_on_how_a_value_is_written() -> None:
    assert run_id(parse({"prune_rate": "0.2", "steps": "1500"})) == run_id(Experiment())
    assert run_id(parse({"steps": 30})) == run_id(parse({"steps": Duration(30)}))


@dataclass(frozen=True)
class LaterOptimizer(Optimizer):
    beta: Annotated[float, Field(description="a new knob")] = 0.5


@dataclass(frozen=True)
class LaterExperiment(Experiment):
    """What an `Experiment` may be one day."""

    optimizer: LaterOptimizer = LaterOptimizer()
    colour: Annotated[str, Field(description="a new knob")] = "red"
    shade: Annotated[str, Field(description="a new knob that changes no number"), OfMachine()] = "dark"


def test_a_new_knob_changes_no_id_until_it_is_turned() -> None:
    assert run_id(LaterExperiment()) == run_id(Experiment())
    assert run_id(LaterExperiment(shade="light")) == run_id(Experiment())
    turned = [LaterExperiment(colour="blue"), LaterExperiment(optimizer=LaterOptimizer(beta=0.6))]
    assert len({run_id(experiment) for experiment in [*turned, Experiment()]}) == 3


def test_what_an_id_is_made_of() -> None:
    assert canonical(parse({"rounds": 3, "steps": "5ep", "optimizer": {"drops": ["1ep", 70]}})) == {
        "steps": "5ep",
        "dataset": {"name": "digits"},
        "model": {"name": "lenet_300_100"},
        "optimizer": {"name": "adam", "drops": ["1ep", 70]},
        "rewind": {"name": "weights"},
    }
