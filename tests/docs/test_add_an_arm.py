"""docs/how-to/add-an-arm.md, followed to the letter."""

import re
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ltr.arms import checks as arm_checks
from ltr.arms import registry, weights
from ltr.arms import start as arm_start
from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.registry import WEIGHTS
from ltr.config import groups
from ltr.config.schema import Arm
from ltr.experiment import compose

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-an-arm.md").read_text()


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_an_arm_from_parts_is_one_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = shutil.copytree(groups.config_dir(), tmp_path / "configs")
    (name,) = re.findall(r"`configs/arm/(\w+)\.yaml`", PAGE)
    (configs / "arm" / f"{name}.yaml").write_text(blocks("yaml")[0])
    monkeypatch.setattr(groups, "config_dir", lambda: configs)
    (words,) = re.findall(r"    ltr run '(arms=.*)'", PAGE)
    experiment = compose.from_words([words])
    arm_checks.check(experiment)
    assert experiment.arms[-1] == name
    assert experiment.arm[name] == Arm(shuffle="layerwise", weights="reinit", keep_signs=True)


def test_the_same_arm_is_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    (word,) = re.findall(r"`\+(arm\..*)`\.", PAGE)
    experiment = compose.from_words([f"+{word}"])
    assert experiment.arm["signs_alone"] == Arm(shuffle="layerwise", weights="reinit", keep_signs=True)


def test_a_part_is_a_function_and_an_entry(
    params: Any, mask: Any, monkeypatch: pytest.MonkeyPatch, registered: Any
) -> None:
    function, line = blocks("python")
    exec(function, space := dict(vars(weights)))
    (entry,) = eval(f"[{line}]", vars(registry))
    assert entry.code == "ltr.arms.weights:halved"
    monkeypatch.setattr(weights, "halved", space["halved"], raising=False)
    registered(WEIGHTS, entry)
    source = ArmContext(None, None, Subnetwork(mask, params), *[params] * 2, *[lambda *_: params] * 8)
    halved = arm_start.start(Arm(weights="halved"), source, jax.random.key(0))
    kept = mask["output"]["kernel"]
    np.testing.assert_array_equal(
        halved.weights["output"]["kernel"][kept], params["output"]["kernel"][kept] / 2
    )
