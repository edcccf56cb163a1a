"""Names that knobs take from registries, and options of what they name."""

from typing import Any

import jax
import pytest

from ltr.config import names
from ltr.config.overrides import overrides, typed_word
from ltr.config.parse import knobs, parse
from ltr.config.schema import Arm, Experiment, Model
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.models.registry import NETWORKS
from ltr.store.identity import canonical, run_id
from ltr.store.settings import default, listed, settings

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"model": {"name": "lenet"}}, "model.name=lenet: unknown network; did you mean lenet_300_100?"),
    ({"model": {"init": "he"}}, "model.init=he: unknown initialiser; known: glorot, kaiming"),
    ({"optimizer": {"name": "Adam"}}, "optimizer.name=Adam: unknown optimizer; did you mean adam?"),
    ({"optimizer": {"schedule": "cos"}}, "optimizer.schedule=cos: unknown schedule; did you mean cosine?"),
    ({"pruning": {"criterion": "magnitud"}}, "pruning.criterion=magnitud: unknown criterion; did you mean "),
    ({"pruning": {"sign": "+"}}, "pruning.sign=+: unknown condition on signs; known: any, different, same"),
    ({"pruning": {"scope": "all"}}, "pruning.scope=all: unknown scope; known: erk, global, layerwise, un"),
    ({"rewind": {"name": "weight"}}, "rewind.name=weight: unknown rewinding; did you mean weights?"),
    ({"arm": {"snip": {"mask": "snap"}}}, "arm.snip.mask=snap: unknown mask; did you mean snip?"),
    ({"claims": {"decide": ["wins", "won"]}}, "claims.decide=won: unknown claim; known: faster, "),
]


@pytest.mark.parametrize(("given", "message"), UNKNOWN, ids=[next(iter(given)) for given, _ in UNKNOWN])
def test_an_unknown_name_is_one_line(given: dict[str, Any], message: str) -> None:
    recorded = parse(given)  # what is recorded is read, whatever is installed
    with pytest.raises(ConfigError) as raised:
        names.require_known(recorded)
    assert str(raised.value).startswith(message)
    with pytest.raises(ConfigError):
        names.checked(given)


def test_every_default_is_known() -> None:
    names.require_known(Experiment(arm={"x": Arm()}))


OPTIONS: dict[tuple[str, ...], str] = {
    ("model.options.blocks=2",): "model.options.blocks: model.name=lenet_300_100 has no options",
    ("model=wide_resnet", "model.options.blocks=0"): "model.options.blocks=0: must be a whole number >= 1",
    ("optimizer.options.b1=x",): "optimizer.options.b1=x: must be a number >= 0 and < 1",
    ("optimizer.options.b1=false",): "optimizer.options.b1=false: must be a number >= 0 and < 1",
    ("optimizer.options.b3=1",): "optimizer.options.b3: unknown knob; did you mean optimizer.options.b2?",
    ("optimizer=sgd", "optimizer.options.b1=0.5"): "optimizer.options.b1: optimizer.name=sgd has no options",
}


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_options_are_those_of_what_is_named(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as raised:
        from_words([*words, "dataset=cifar10"])
    assert str(raised.value).startswith(OPTIONS[words])


def test_an_option_of_another_entry_is_refused_where_it_is_recorded_too() -> None:
    experiment = Experiment(model=Model("wide_resnet", options={"depth": 16}))
    with pytest.raises(
        ConfigError, match=r"^model\.options\.depth: unknown option of model\.name=wide_resnet; "
    ):
        names.with_options(experiment)


def test_an_option_is_part_of_what_a_run_is_unless_it_is_the_default() -> None:
    words = ["model=wide_resnet", "dataset=cifar10"]
    plain = from_words(words)
    other = from_words([*words, "model.options.blocks=2"])
    assert from_words([*words, "model.options.blocks=4"]) == plain
    assert canonical(plain)["model"] == {"name": "wide_resnet", "init": "kaiming"}
    assert canonical(other)["model"] == {"name": "wide_resnet", "init": "kaiming", "options": {"blocks": 2}}
    assert run_id(other) != run_id(plain)
    assert settings(other) == settings(plain) | {"model.options.blocks": 2}


def test_an_option_is_a_knob_with_a_default() -> None:
    (knob,) = (knob for knob in knobs() if knob.name == "model.options.blocks")
    assert (knob.default, knob.allowed, knob.entry) == (4, "a whole number >= 1", "model.name=wide_resnet")
    assert knob.meaning.endswith(" (model.name=wide_resnet only)")
    assert listed()["model.options.blocks"] == default("model.options.blocks") == 4


def test_an_option_is_swept_and_repeated_like_any_knob() -> None:
    assert overrides(["optimizer.options.b1=0.8,0.9"], sweep=True) == ["++optimizer.options.b1=0.8,0.9"]
    assert typed_word("++optimizer.options.b1=0.8") == "optimizer.options.b1=0.8"


def test_a_wide_network_has_as_many_blocks_as_it_is_asked_for() -> None:
    network = NETWORKS["wide_resnet"]
    config = from_words(
        ["model=wide_resnet", "dataset=cifar10", "model.width=0.01", "model.options.blocks=1"]
    )
    model = network.call(config.model, (8, 8, 1), 10, options=config.model.options)
    params = jax.eval_shape(model.init, jax.random.key(0))
    assert sorted(name for name in params if name.startswith("block")) == ["block_1", "block_2", "block_3"]
