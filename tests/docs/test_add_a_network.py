"""docs/how-to/add-a-network.md, followed to the letter."""

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config import groups
from ltr.core import masks
from ltr.engine import flops
from ltr.experiment import compose
from ltr.experiment.spec import RunSpec
from ltr.models import registry
from ltr.models.registry import NETWORKS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-network.md").read_text()


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("number", "statistics"), [(0, {"norm_1"}), (1, set())], ids=["plain", "attention"])
def test_the_page_makes_a_network_that_trains(
    number: int, statistics: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: Any
) -> None:
    source, line = blocks("python")[2 * number : 2 * number + 2]
    settings = blocks("yaml")[number]
    (entry,) = eval(f"[{line}]", vars(registry))
    name, (module, _) = entry.name, entry.code.split(":")
    assert f"`{module.replace('.', '/')}.py`" in PAGE
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    exec(source, vars(sys.modules[module]))
    registered(NETWORKS, entry)
    configs = shutil.copytree(groups.config_dir(), tmp_path / "configs")
    (configs / "model" / f"{name}.yaml").write_text(settings)
    monkeypatch.setattr(groups, "config_dir", lambda: configs)
    words = re.findall(r"    ltr run (model=.*)", PAGE)[number].split()
    assert words[0] == f"model={name}"
    spec = RunSpec.from_experiment(compose.from_words(words))
    said = re.search(r"([\d,]+) weights", settings)
    assert said
    prunable = jax.tree.leaves(masks.where(spec.model.layer_types, spec.shapes))
    weights = sum(leaf.size for leaf in prunable)
    assert weights == int(said[1].replace(",", ""))
    model = registry.build(spec.experiment.model, (8, 8, 1), 10)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    params = jax.jit(model.init)(jax.random.key(1))
    logits, moved = jax.jit(model.train)(params, images, jax.random.key(2))
    assert logits.shape == (5, 10)
    assert set(moved) == statistics
    assert flops.example_operations(model, (8, 8, 1)) > 2 * weights
