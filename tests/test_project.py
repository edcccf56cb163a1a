"""The project itself: what its make targets, pinned versions, documents and wheel promise."""

import ast
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
TARGETS = {"help", "setup", "run", "test", "lint", "format", "bench", "sanitize", "clean"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra]


def pins() -> list[str]:
    """The lines of the constraints file that pin a version."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_make_alone_lists_every_target() -> None:
    shown = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\w+) +\S", shown, re.MULTILINE)) == TARGETS


def test_constraints_are_plain_pins() -> None:
    plain = re.compile(r'[\w.-]+==[\w.]+(; python_version (<|>=) "3\.\d+")?')
    assert [pin for pin in pins() if not plain.fullmatch(pin)] == []


def test_every_requirement_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = PROJECT["project"]["dependencies"] + extras["dev"] + extras["bench"] + extras["onnx"]
    names = {normal(re.split("[<>=!~ ]", requirement)[0]) for requirement in wanted}
    assert names <= {normal(pin.partition("==")[0]) for pin in pins()}


def test_no_requirement_refuses_the_version_that_is_pinned() -> None:
    versions = {normal(name): version for name, _, version in (pin.partition("==") for pin in pins())}
    for requirement in map(Requirement, [*PROJECT["project"]["dependencies"], *EXTRAS]):
        version = versions.get(normal(requirement.name), "").partition(";")[0]
        assert not version or requirement.specifier.contains(version), requirement


def test_readme_links_to_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_module_says_what_it_is_for() -> None:
    modules = [path for folder in ("ltr", "scripts") for path in (ROOT / folder).rglob("*.py")]
    assert modules
    assert [path for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_wheel_is_told_to_ship_the_configs() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"configs": "ltr/configs"}


def test_wheel_holds_the_configs(tmp_path: Path) -> None:
    """Builds one, where the build backend is at hand."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    names = zipfile.ZipFile(built).namelist()
    configs = {f"ltr/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert configs
    assert configs <= set(names)
