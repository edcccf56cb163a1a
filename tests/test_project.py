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
TARGETS = {
    *("help", "setup", "run", "check", "test", "coverage", "golden", "test-oldest"),
    *("lint", "format", "bench", "docs", "dist", "sanitize", "clean"),
}
OLDEST = "constraints-oldest.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra]


def pins(file: str = "constraints.txt") -> list[str]:
    """The lines of a constraints file that pin a version."""
    lines = (ROOT / file).read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_make_alone_lists_every_target() -> None:
    shown = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([\w-]+) +\S", shown, re.MULTILINE)) == TARGETS


@pytest.mark.parametrize("file", ["constraints.txt", OLDEST])
def test_constraints_are_plain_pins(file: str) -> None:
    plain = re.compile(r'[\w.-]+==[\w.]+(; python_version (<|>=) "3\.\d+")?')
    assert [pin for pin in pins(file) if not plain.fullmatch(pin)] == []


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """If not: see the first line of constraints-oldest.txt."""
    oldest = {normal(name): version for name, _, version in (pin.partition("==") for pin in pins(OLDEST))}
    bounds = dict(requirement.split(">=") for requirement in PROJECT["project"]["dependencies"])
    assert bounds
    behind = {
        name: (bound, oldest[normal(name)])
        for name, bound in bounds.items()
        if not re.fullmatch(rf"{re.escape(bound)}(\.0)*", oldest[normal(name)])
    }
    assert behind == {}


def test_every_requirement_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = PROJECT["project"]["dependencies"] + [
        one for name in ("dev", "docs", "bench", "onnx") for one in extras[name]
    ]
    names = {normal(Requirement(requirement).name) for requirement in wanted}
    assert names <= {normal(pin.partition("==")[0]) for pin in pins()}


def test_no_requirement_refuses_the_version_that_is_pinned() -> None:
    versions = {normal(name): version for name, _, version in (pin.partition("==") for pin in pins())}
    for requirement in map(Requirement, [*PROJECT["project"]["dependencies"], *EXTRAS]):
        version = versions.get(normal(requirement.name), "").partition(";")[0]
        assert not version or requirement.specifier.contains(version), requirement


def test_every_module_says_what_it_is_for() -> None:
    modules = [path for folder in ("ltr", "scripts") for path in (ROOT / folder).rglob("*.py")]
    assert modules
    assert [path for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_wheel_is_told_to_ship_the_configs() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"configs": "ltr/configs"}


def test_wheel_holds_configs_and_types(tmp_path: Path) -> None:
    """Builds one, where the build backend is at hand."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    names = zipfile.ZipFile(built).namelist()
    configs = {f"ltr/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert configs
    assert configs | {"ltr/py.typed"} <= set(names)


def test_every_test_that_a_script_names_exists() -> None:
    listed = (ROOT / "Makefile").read_text().split("CHECKED = ")[1].split("\n\n")[0]
    checked = re.findall(r"[\w/.]+", listed.partition("tests/,")[2].partition(")")[0])
    oldest = re.findall(r"tests/[\w/.]+", (ROOT / "scripts/test_oldest.sh").read_text())
    assert len(checked) > 5
    assert len(oldest) > 5
    named = [*(f"tests/{name}" for name in checked), *oldest]
    assert [name for name in named if not (ROOT / name).exists()] == []
