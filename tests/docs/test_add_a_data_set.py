"""docs/how-to/add-a-data-set.md, followed to the letter in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "add-a-data-set.md").read_text()
LTR = "import sys; from ltr.cli import main; sys.exit(main(sys.argv[1:]))"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def patch(text: str, diff: str) -> str:
    """The text with each line that the diff adds put below the line that the diff shows above it."""
    lines, place = text.splitlines(), 0
    for line in diff.splitlines():
        if line.startswith("+"):
            place += 1
            lines.insert(place, line[1:])
        else:
            place = lines.index(line[1:])
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project as it is after the first three steps, and the folder of the original file."""
    for folder in ("ltr", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    make, entry = blocks("python")
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True)
    (tmp_path / "ltr/data/stripes.py").write_text(entry)
    registry = tmp_path / "ltr/data/registry.py"
    registry.write_text(patch(registry.read_text(), *blocks("diff")))
    (tmp_path / "configs/dataset/stripes.yaml").write_text(*blocks("yaml"))
    return tmp_path


@pytest.mark.slow
def test_the_commands_of_the_page_do_what_it_says(project: Path) -> None:
    places = {"PYTHONPATH": str(project), "TFDS_DATA_DIR": str(project / "data")}
    said = ""
    for command in "".join(blocks("sh")).splitlines():
        program, *words = command.split()
        assert program == "ltr"
        done = subprocess.run(
            [sys.executable, "-c", LTR, *words],
            cwd=project, env=os.environ | places, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert "stripes: all 40 examples" in said
    (run,) = (project / "outputs").glob("stripes-lenet_300_100-*")
    assert (run / "results.parquet").exists()


def test_the_page_names_the_files_that_it_changes() -> None:
    for path in ("ltr/data/stripes.py", "ltr/data/registry.py", "configs/dataset/stripes.yaml"):
        assert f"`{path}`" in PAGE


def test_what_the_page_points_to_is_there() -> None:
    paths = [path for path in re.findall(r"`([\w/]+\.(?:py|yaml))`", PAGE) if "stripes" not in path]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
