"""docs/how-to/write-a-plugin.md, followed to the letter."""

import importlib
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ltr.cli import main
from ltr.config.origins import request
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import CRITERIA
from ltr.registry import Registry
from tests import plugin_sites

PAGE_PATH = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-plugin.md"
PAGE = PAGE_PATH.read_text()


@pytest.mark.slow
def test_the_page_makes_a_package_that_is_installed_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run by a plug-in is trained in tests/test_example_plugin.py."""
    monkeypatch.chdir(tmp_path)
    asked: list[Any] = []
    monkeypatch.setattr("ltr.experiment.runner.conduct", lambda *of, **_: asked.append(of))
    paths = re.findall(r"`(ltr-growth/[\w/]+\.\w+)`", PAGE)
    files = re.findall(r"^```(?:toml|python|yaml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for path, text in zip(paths, files, strict=True):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    (commands,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    first, *others = map(shlex.split, commands.splitlines())
    assert first == ["pip", "install", "./ltr-growth"]
    plugin_sites.install(Path(first[-1]).resolve(), tmp_path / "site")
    with plugin_sites.joined(tmp_path / "site"):
        for program, *words in others:
            assert program == "ltr"
            assert main([*words, *(["sparse=never"] if words[0] in ("run", "plan") else [])]) == 0
        assert re.search(r"^plug-ins +ltr-growth 0\.1\.0$", capsys.readouterr().out, re.MULTILINE)
        (one,) = asked
        assert (one[0].pruning.criterion, one[0].rounds) == ("growth", 1)
        assert request(*one[:2]).plugins == {"ltr-growth": "0.1.0"}
        weights = {"kernel": np.array([1.0, -2.0])}, {"kernel": np.array([-3.0, 1.0])}
        scores = CRITERIA["growth"].load()(
            PruningInput(*weights, {"kernel": np.ones(2, bool)}, jax.random.key(0))
        )
        np.testing.assert_allclose(scores["kernel"], [3, 0.5])


def test_the_registries_and_kinds_of_the_page_are_there() -> None:
    rows = re.findall(r"^\| an? [^|]+\| ([^|]+)\| ([^|]+)\|", PAGE, re.MULTILINE)
    assert len(rows) > 6
    for registries, layer_types in rows:
        (first, *others), names = re.findall(r"`([\w.]+)`", registries), re.findall(r"`(\w+)`", layer_types)
        module = importlib.import_module(first.rpartition(".")[0])
        for registry in (first.rpartition(".")[2], *others):
            assert isinstance(getattr(module, registry), Registry)
        assert all("name" in {field.name for field in fields(getattr(module, name))} for name in names)


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert [link for link in links if not (PAGE_PATH.parent / link).exists()] == []
