"""docs/how-to/add-a-score-at-initialisation.md, followed to the letter."""

import re
import shlex
import shutil
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ltr.arms import registry
from ltr.arms.registry import MASKS
from ltr.cli import main
from ltr.config import groups
from ltr.experiment import compose
from ltr.pruning import at_init
from ltr.store import tables

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-score-at-initialisation.md"


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in found]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, registered: Any) -> str:
    """The new score's name, after steps 1 and 2."""
    function, line = blocks("python")
    exec(function, space := dict(vars(at_init)))
    (entry,) = eval(f"[{line}]", vars(registry))
    module, _, name = entry.code.partition(":")
    assert module == at_init.__name__
    monkeypatch.setattr(at_init, name, space[name], raising=False)
    registered(MASKS, entry)
    return str(entry.name)


@pytest.mark.slow
def test_the_command_works(added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (command,) = blocks("sh")
    program, *words = shlex.split(command)
    assert program == "ltr"
    assert main([*words, "sparse=never"]) == 0  # which compiles less
    (run,) = (tmp_path / "outputs").iterdir()
    results = tables.read(run, "results").query("round == 2")
    assert set(results["arm"]) == {"ticket", "fisher", "reverse"}
    assert results["density"].nunique() == 1
    assert results["accuracy_at_early_stop"].nunique() == 3


def test_an_arm_for_good_is_a_file(added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = shutil.copytree(groups.config_dir(), tmp_path / "configs")
    (configs / "arm" / f"{added}.yaml").write_text(*blocks("yaml"))
    monkeypatch.setattr(groups, "config_dir", lambda: configs)
    experiment = compose.from_words([f"arms=[ticket,{added}]"])
    assert experiment.arm[added].mask == added


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE.read_text())
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
