"""Knobs as keywords: the words that they come to, whatever is in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ltr.config.keywords import words
from ltr.config.overrides import overrides
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        (
            {"rounds": 3, "prune_rate": 0.2, "early_bird": True},
            ["rounds=3", "prune_rate=0.2", "early_bird=true"],
        ),
        ({"optimizer.learning_rate": 1e-5}, ["optimizer.learning_rate=1e-05"]),
        ({"ticket": None, "steps": "20ep"}, ["ticket=null", "steps=20ep"]),
        ({"arms": ("ticket", "one_shot")}, ["arms=[ticket,one_shot]"]),
        ({"optimizer": "sgd"}, ["optimizer=sgd"]),
        (
            {"optimizer": {"name": "sgd", "drops": ["10ep", 500]}},
            ["optimizer.name=sgd", "optimizer.drops=[10ep,500]"],
        ),
        ({"pruning": {"rates": {"conv": 0.5}}}, ["pruning.rates.conv=0.5"]),
        ({"+arm": {"mine": {"noise": 2, "draws": 3}}}, ["+arm.mine.noise=2", "+arm.mine.draws=3"]),
        ({"optimizer": {}}, []),
        ({"seed": np.int64(4), "prune_rate": np.float64(0.2)}, ["seed=4", "prune_rate=0.2"]),
        ({"pruning.densities": np.array([0.5, 0.25])}, ["pruning.densities=[0.5,0.25]"]),
        ({"output_root": Path("runs")}, ["output_root=runs"]),
        ({"output_root": "a b"}, ["output_root='a b'"]),
        ({"dataset.sha256": "0123456789"}, ["dataset.sha256='0123456789'"]),
        ({"dataset.sha256": "null"}, ["dataset.sha256='null'"]),
        ({"dataset.sha256": "NaN"}, ["dataset.sha256='NaN'"]),
    ],
)
def test_a_knob_is_a_word(knobs: dict[str, Any], expected: list[str]) -> None:
    assert words([], knobs) == expected


def test_keywords_come_after_words_and_win() -> None:
    assert words(["seed=1", "rounds=2"], {"seed": 3}) == ["seed=1", "rounds=2", "seed=3"]
    assert from_words(words(["seed=1"], {"seed": 3})).seed == 3


@settings(max_examples=15)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_is_taken_as_it_is(text: str) -> None:
    (word,) = overrides(words([], {"ticket": text}))
    value = OverridesParser.create().parse_override(word).value()
    assert OmegaConf.create({"value": value}).value == text


def test_an_arm_of_ones_own_is_defined_as_on_the_command_line() -> None:
    asked = words(["arms=[ticket,mine]"], {"+arm": {"mine": {"mask": "snip", "noise": 0.5}}})
    experiment = from_words(asked)
    assert (experiment.arm["mine"].mask, experiment.arm["mine"].noise) == ("snip", 0.5)
    assert experiment.arm["mine"].draws == 1


@pytest.mark.parametrize(
    ("texts", "knobs", "message"),
    [
        ([3], {}, "3: not a word; type 'key=value', as in 'prune_rate=0.2', or a keyword"),
        ([], {"a=b": 1}, "a=b: not the name of a knob"),
        ([], {"optimizer": {1: 2}}, "optimizer.1: not the name of a knob"),
        ([], {"optimizer": {"": 2}}, "optimizer.: not the name of a knob"),
        ([], {"arms": {"ticket"}}, r"arms={'ticket'}: must be a number, text, True, False, None, or a list"),
        ([], {"seed": [1j]}, r"seed=1j: must be a number, text"),
    ],
)
def test_what_no_word_can_hold_is_refused(texts: list[Any], knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        words(texts, knobs)
    assert str(caught.value).startswith(message)
