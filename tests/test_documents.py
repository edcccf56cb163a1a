"""What lies round the code for people and tools: links, citation, changelog, notebook, pinned hooks."""

import json
import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ltr.version import __version__

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / ".github").rglob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    ROOT / "outputs" / "README.md",
]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
SITE = runpy.run_path(str(ROOT / "scripts" / "site_pages.py"))


def cells() -> list[dict[str, Any]]:
    return list(json.loads(NOTEBOOK.read_text())["cells"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["architecture.md", "concepts.md", "run-folder.md"])
def test_files_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:ltr|tests|scripts|configs)/[\w/.-]*)`", (ROOT / "docs" / page).read_text())
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_notebook_links_to_pages() -> None:
    text = "".join("".join(cell["source"]) for cell in cells() if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#\s]+)", text)
    assert links
    assert [link for link in links if not (NOTEBOOK.parent / link).exists()] == []


def test_the_notebook_is_kept_without_outputs() -> None:
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert code
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.parametrize(
    ("source", "link", "in_site"),
    [
        ("README.md", "[a](docs/speed.md#where)", "[a](speed.md#where)"),
        ("README.md", "![a](docs/figures/cost.png)", "![a](figures/cost.png)"),
        ("README.md", "[a](CONTRIBUTING.md)", "[a](contributing.md)"),
        ("README.md", "[a](https://example.org/docs/)", "[a](https://example.org/docs/)"),
        ("docs/results.md", "[a](../README.md#what-it-finds)", "[a](index.md#what-it-finds)"),
        ("docs/how-to/add-an-arm.md", "[a](../choices.md)", "[a](../choices.md)"),
        ("docs/how-to/add-an-arm.md", "[a](../../CHANGELOG.md)", "[a](../changelog.md)"),
        ("docs/how-to/add-an-arm.md", "[`cli`](../../ltr/cli/dispatch.py)", "`cli`"),
        ("docs/how-to/add-an-arm.md", "[a](../../ltr/none.py)", "[a](../../ltr/none.py)"),
        ("docs/speed.md", "[a](#here)", "[a](#here)"),
    ],
)
def test_links_are_rewritten_for_the_site(source: str, link: str, in_site: str) -> None:
    assert SITE["for_site"](f"See {link}.", source) == f"See {in_site}."


def test_patterns_of_the_navigation_are_written_out(tmp_path: Path) -> None:
    for name in ("b.md", "a.md", "a.png"):
        (tmp_path / name).touch()
    nav = [{"One": "one.md"}, {"All": ["first.md", "*.md"]}, {"None": ["none/*.md"]}]
    expected = [{"One": "one.md"}, {"All": ["first.md", "a.md", "b.md"]}, {"None": []}]
    assert SITE["expanded"](nav, tmp_path) == expected


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]


def test_the_hooks_run_the_pinned_ruff() -> None:
    (pin,) = re.findall(r"^ruff==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["rev"] for repo in hooks if "ruff" in repo["repo"]] == [f"v{pin}"]


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]]
    assert all(released)


def test_shell_scripts_parse() -> None:
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
