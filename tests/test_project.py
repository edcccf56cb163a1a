"""The project itself: what its make targets, pinned versions, documents and wheel promise."""

import ast
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
TARGETS = {
    *("help", "setup", "run", "check", "test", "coverage", "mutants", "golden", "test-oldest"),
    *("lint", "format", "bench", "docs", "dist", "faults", "sanitize", "audit", "clean"),
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


def test_no_file_of_the_repository_is_large() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(files) > 100
    assert [file.name for file in files if file.is_file() and file.stat().st_size > 2**20] == []


@pytest.mark.parametrize("file", ["constraints.txt", OLDEST])
def test_constraints_are_plain_pins(file: str) -> None:
    plain = re.compile(r'[\w.-]+==[\w.]+(; python_version (<|>=) "3\.\d+")?')
    assert [pin for pin in pins(file) if not plain.fullmatch(pin)] == []


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """If not: see the first line of constraints-oldest.txt, which leaves the linters out."""
    oldest = {
        normal(name): Version(version) for name, _, version in (pin.partition("==") for pin in pins(OLDEST))
    }
    needed = [Requirement(requirement) for requirement in PROJECT["project"]["dependencies"]]
    tools = [Requirement(tool) for tool in PROJECT["project"]["optional-dependencies"]["dev"]]
    bounds = {
        normal(one.name): Version(bound.version) for one in [*needed, *tools] for bound in one.specifier
    }
    both = bounds.keys() & oldest.keys()
    assert {normal(one.name) for one in needed} <= both
    assert {name: oldest[name] for name in both} == {name: bounds[name] for name in both}


def test_the_files_that_scripts_name_are_there() -> None:
    scripts = [ROOT / "Makefile", ROOT / ".ci" / "run", *(ROOT / "scripts").glob("*.sh")]
    named = [
        path
        for script in scripts
        for path in re.findall(r"(?<![\w/.-])(?:tests|scripts)/[\w./]+", script.read_text())
    ]
    assert "scripts/test_oldest.sh" in named
    assert "tests/store" in named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_tests_that_prove_reliability_are_there() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"tests/[\w/.]*\w", text)
    assert "tests/commands/test_faults.py" in named
    assert [name for name in named if not (ROOT / name).exists()] == []
    kills = (ROOT / "tests" / "kills" / "test_kills.py").read_text()
    words = re.findall(r'make faults ARGS="-k (\w+)"', text)
    assert words
    assert [word for word in words if not re.search(rf"def test_\w*{word}", kills)] == []


def test_every_requirement_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = PROJECT["project"]["dependencies"] + [
        one for name in ("dev", "docs", "bench", "onnx", "audit", "mutants") for one in extras[name]
    ]
    names = {normal(Requirement(requirement).name) for requirement in wanted}
    assert names <= {normal(pin.partition("==")[0]) for pin in pins()}


def test_no_requirement_refuses_the_version_that_is_pinned() -> None:
    versions = {normal(name): version for name, _, version in (pin.partition("==") for pin in pins())}
    for requirement in map(Requirement, [*PROJECT["project"]["dependencies"], *EXTRAS]):
        version = versions.get(normal(requirement.name), "").partition(";")[0]
        assert not version or requirement.specifier.contains(version), requirement


def test_actions_are_pinned_to_commits() -> None:
    used = re.findall(r"uses: (\S+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []


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
