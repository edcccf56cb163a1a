"""The command that installs an extra: of ours, never of the package that has our name on the index."""

import importlib.metadata
import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ltr.core import extras
from ltr.core.extras import install_command

ROOT = Path(__file__).parents[2]


def test_in_a_clone_it_names_the_clone_and_the_pinned_versions() -> None:
    words = shlex.split(install_command("bench"))
    constraints = str(ROOT / "constraints.txt")
    assert words == [sys.executable, "-m", "pip", "install", "-e", f"{ROOT}[bench]", "-c", constraints]


COMMIT = {"vcs": "git", "commit_id": "abc"}


@pytest.mark.parametrize(
    ("noted", "named"),
    [
        ({"url": "file:///tmp/ltr-0.1.0-py3-none-any.whl", "archive_info": {}}, "file:///tmp/ltr-0.1.0-py3"),
        ({"url": "https://example.org/ltr.git", "vcs_info": COMMIT}, "git+https://example.org/ltr.git@abc"),
        (None, "PATH-OR-URL"),
    ],
)
def test_elsewhere_it_names_what_was_installed(
    noted: dict[str, object] | None, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = None if noted is None else json.dumps(noted)
    found = SimpleNamespace(read_text=lambda _: text)
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "ltr" / "extras.py"))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: found)
    *_, requirement = shlex.split(install_command("onnx"))
    assert requirement.startswith(f"ltr[onnx] @ {named}")


def test_no_text_names_the_package_of_the_index() -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "ltr").rglob("*.py")]
    texts += [ROOT / "Makefile", *(ROOT / "configs").rglob("*.yaml"), *(ROOT / ".github").rglob("*.yml")]
    wrong = re.compile(r"pip3? install (-\S+ )*['\"]?ltr\b")
    assert len(texts) > 100
    assert [path for path in texts if wrong.search(path.read_text())] == []
