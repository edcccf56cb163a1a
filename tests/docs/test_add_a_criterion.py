"""docs/how-to/add-a-criterion.md, followed to the letter."""

import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from ltr.cli import main
from ltr.pruning import criteria, registry
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import CRITERIA
from ltr.store import tables

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-criterion.md"
INITIAL, TRAINED = [0.5, -2.0, 1.0, -0.25, 3.0], [-1.0, -2.5, 0.25, 0.5, -4.0]


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in found]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, registered: Any) -> str:
    """The new criterion's name, after steps 1 and 2."""
    function, line, _ = blocks("python")
    exec(function, space := dict(vars(criteria)))
    (entry,) = eval(f"[{line}]", vars(registry))
    module, _, name = entry.code.partition(":")
    assert module == criteria.__name__
    monkeypatch.setattr(criteria, name, space[name], raising=False)
    registered(CRITERIA, entry)
    return str(entry.name)


def test_the_scores_are_those_of_the_page(added: str) -> None:
    initial, trained = ({"kernel": np.array(leaf, np.float32)} for leaf in (INITIAL, TRAINED))
    evidence: Any = PruningInput(initial, trained, {"kernel": np.ones(5, bool)}, None)  # type: ignore[arg-type]
    expected = eval(f"{{{blocks('python')[2]}}}")
    np.testing.assert_array_equal(CRITERIA[added].load()(evidence)["kernel"], expected[added])


@pytest.mark.slow
def test_the_commands_work(added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in blocks("sh")[0].splitlines():
        program, *words = shlex.split(command)
        assert program == "ltr"
        assert f"pruning.criterion={added}" in words
        assert main([*words, "sparse=never"]) == 0  # which compiles less
    (run,) = (tmp_path / "outputs").iterdir()
    assert set(tables.read(run, "results")["round"]) == {0, 1, 2}


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE.read_text())
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
