"""docs/how-to/add-a-network.md, followed to the letter."""

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import pytest

from ltr.config import groups
from ltr.engine import flops
from ltr.experiment import compose
from ltr.experiment.spec import RunSpec
from ltr.models import registry
from ltr.models.registry import NETWORKS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-network.md").read_text()


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_makes_a_network_that_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: Any
) -> None:
    source, line = blocks("python")
    (entry,) = eval(f"[{line}]", vars(registry))
    name, (module, _) = entry.name, entry.code.split(":")
    assert f"`{module.replace('.', '/')}.py`" in PAGE
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    exec(source, vars(sys.modules[module]))
    registered(NETWORKS, entry)
    configs = shutil.copytree(groups.config_dir(), tmp_path / "configs")
    (configs / "model" / f"{name}.yaml").write_text(blocks("yaml")[0])
    monkeypatch.setattr(groups, "config_dir", lambda: configs)
    (word,) = re.findall(r"    ltr run (model=\w+)", PAGE)
    spec = RunSpec.from_experiment(compose.from_words([word]))
    said = re.search(r"([\d,]+) weights", blocks("yaml")[0])
    assert said
    kernels = [leaf for leaf in jax.tree.leaves(spec.shapes) if leaf.ndim > 1]
    assert sum(leaf.size for leaf in kernels) == int(said[1].replace(",", ""))
    model = registry.build(spec.experiment.model, (8, 8, 1), 10)
    images = jax.random.normal(jax.random.key(0), (5, 8, 8, 1))
    params = model.init(jax.random.key(1))
    logits, statistics = model.train(params, images, jax.random.key(2))
    assert logits.shape == (5, 10)
    assert set(statistics) == {"norm_1"}
    assert flops.example_operations(model, (8, 8, 1)) > 2 * 7_400
