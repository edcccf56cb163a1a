"""Knobs in which runs that share programs may differ: they are marked, and no program depends on them."""

import functools
import re
from typing import Any

import jax
import pytest

from ltr.config.parse import parse
from ltr.config.schema import Experiment, OfLane, to_dict
from ltr.config.walk import by_name, is_marked
from ltr.experiment import memory
from ltr.experiment.runtimes import programs
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA

SMALL: dict[str, Any] = {"model": {"width": 0.1}, "steps": 40, "rounds": 2, "replicates": 2, "eval_every": 20}
SMALL["pruning"] = {"rates": {"output": 1.0}}

OTHERS: dict[str, Any] = {
    "prune_rate": 0.4,
    "rounds": 1,
    "replicates": 1,
    "seed": 1,
    "eval_every": 10,
    "rewind_step": 10,
    "arms": ["ticket"],
    "control_rounds": [1],
    "share_dense": False,
    "pruning.criterion": "movement",
    "pruning.sign": "same",
    "pruning.scope": "uniform",
    "pruning.rates.dense": 0.9,
    "pruning.rates.output": 0.5,
    "rewind.name": "continued",
    "output_root": "elsewhere",
    "checkpoint_every": 1.0,
    "claims.densities": [0.5],
    "claims.decide": ["weights"],
    "arm.random_reinit.noise": 0.1,
    "arm.random_mask.weights": "reinit",
    "arm.random_mask.draws": 2,
}
"""Another value of marked knobs that can be varied alone."""

APART: dict[str, Any] = {
    "batch_size": 50,
    "test_curves": True,
    "early_bird": True,
    "model.width": 0.2,
    "model.dropout": 0.1,
    "optimizer.learning_rate": 0.1,
    "optimizer.clip": 1.0,
    "dataset.validation": 230,
    "arm.one_shot.method": "rigl",
}
"""Another value of knobs that programs depend on."""


def experiment(name: str = "", value: Any = None) -> Experiment:
    """The small run with another value of a knob."""
    config: dict[str, Any] = to_dict(parse(SMALL))
    *path, last = name.split(".")
    if name:
        functools.reduce(lambda node, key: node[key], path, config)[last] = value
    return parse(config)


def traced(of: Experiment) -> str:
    """The programs of a run, as text without addresses of objects."""
    spec = RunSpec.from_experiment(of)
    texts = [
        f"{name} {jax.make_jaxpr(program.run)(*arguments)}"
        for name, (program, *arguments) in memory.inputs(spec, XLA).items()
    ]
    return re.sub(r"0x[0-9a-f]+", "", "\n".join(texts))


@functools.cache
def unchanged() -> str:
    return traced(experiment())


@pytest.mark.parametrize("name", OTHERS)
def test_no_program_depends_on_a_knob_that_lanes_of_one_program_may_differ_in(name: str) -> None:
    other = experiment(name, OTHERS[name])
    assert other != experiment()
    assert programs(other) == programs(experiment())
    assert traced(other) == unchanged()


@pytest.mark.parametrize("name", APART)
def test_programs_depend_on_other_knobs(name: str) -> None:
    other = experiment(name, APART[name])
    assert programs(other) != programs(experiment())
    assert traced(other) != unchanged()


def test_pruning_enters_where_a_method_reads_it() -> None:
    ones = [{"early_bird": True, "pruning": {"scope": scope}} for scope in ("layerwise", "uniform")]
    one, other = (parse(SMALL | knobs) for knobs in ones)
    assert programs(one) != programs(other)


def test_every_marked_knob_is_varied() -> None:
    marked = {name for name, _, hint in by_name(experiment()) if is_marked(hint, OfLane)}
    cannot = {"pruning.densities", "pruning.rates.conv", "pruning.rates.shortcut", "ticket", "claims.most"}
    alone = {name for name in marked if not name.startswith("arm.")}
    assert alone == {name for name in OTHERS if not name.startswith("arm.")} | cannot
