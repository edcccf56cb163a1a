"""Knobs as readers see them: what was set, and how much was asked for."""

from typing import Any

import pytest

from ltr.config.parse import parse
from ltr.config.schema import Experiment, OfMachine, to_dict
from ltr.config.walk import by_name, is_marked
from ltr.store.identity import decisive, run_id
from ltr.store.settings import covers, default, enlarged, extent, listed, settings

OF_MACHINE: dict[str, Any] = {
    "claims.densities": [0.5],
    "claims.decide": ["wins"],
    "claims.most": 9,
    "dataset.path": "mine.npz",
    "dataset.layout": "channels_first",
    "output_root": "elsewhere",
    "data_dir": "elsewhere",
    "devices": 1,
    "parallel": "batch",
    "hosts.coordinator": "node1:61234",
    "hosts.count": 2,
    "hosts.index": 1,
    "lanes_per_device": 2,
    "share_dense": False,
    "check_memory": False,
    "sparse": "never",
    "arithmetic": "xla",
    "tracker": "wandb",
    "checkpoint_every": 5.0,
}


def nested(name: str, value: Any) -> dict[str, Any]:
    first, _, rest = name.partition(".")
    return {first: nested(rest, value)} if rest else {first: value}


def with_arms(**knobs: Any) -> Experiment:
    return parse({"arm": to_dict(Experiment().arm)} | knobs)


def test_these_are_the_knobs_of_the_machine() -> None:
    marked = {name for name, _, hint in by_name(Experiment()) if is_marked(hint, OfMachine)}
    assert marked == set(OF_MACHINE)


@pytest.mark.parametrize("name", OF_MACHINE)
def test_knobs_of_the_machine_are_in_no_list_and_no_identity(name: str) -> None:
    turned = with_arms(**nested(name, OF_MACHINE[name]))
    assert turned != with_arms()
    assert settings(turned) == {}
    assert name not in {**decisive(turned), **extent(turned), **listed()}
    assert run_id(turned) == run_id(Experiment())
    with pytest.raises(KeyError):
        default(name)


def test_settings_are_what_is_not_at_its_default_in_arms_that_were_asked_for() -> None:
    arms = to_dict(Experiment().arm) | {"loud": {"noise": 2.0, "draws": 2}, "silent": {"noise": 1.0}}
    asked = parse({"arm": arms, "arms": ["ticket", "loud"], "rounds": 3, "optimizer": {"name": "sgd"}})
    assert settings(asked) == {
        "rounds": 3,
        "arms": ["ticket", "loud"],
        "optimizer.name": "sgd",
        "arm.loud.noise": 2.0,
        "arm.loud.draws": 2,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("optimizer.learning_rate", 1.2e-3), ("arm.one_shot.mask", "one_shot"), ("arm.own.mask", "ticket")],
)
def test_the_default_of_a_knob(name: str, value: Any) -> None:
    assert default(name) == value


MORE: list[dict[str, Any]] = [
    {"rounds": 16},
    {"replicates": 9},
    {"arms": ["ticket", "random_reinit", "random_mask", "one_shot", "loud"]},
    {"arm": {**to_dict(Experiment().arm), "random_mask": {"shuffle": "layerwise", "draws": 2}}},
]


@pytest.mark.parametrize("more", MORE, ids=[next(iter(more)) for more in MORE])
def test_more_of_anything_covers_less_and_stays_when_less_is_asked_for(more: dict[str, Any]) -> None:
    less, greater = with_arms(), with_arms(**more)
    assert covers(greater, extent(less))
    assert not covers(less, extent(greater))
    assert extent(enlarged(greater, less)) == extent(enlarged(less, greater)) == extent(greater)


def test_other_knobs_are_those_asked_for_last() -> None:
    before, asked = with_arms(rounds=20, devices=2), with_arms(replicates=9, devices=1)
    found = enlarged(before, asked)
    assert (found.rounds, found.replicates, found.devices) == (20, 9, 1)
