"""`ltr data import`, and what a run then says and does."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ltr.cli import main
from ltr.data.custom import status_lines
from ltr.experiment.compose import from_words


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fifteen light and fifteen dark images of 6x6, in the working directory."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for kind, base in (("dark", 0), ("light", 100)):
        for number in range(15):
            path = Path("my photos") / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(base, base + 100, (6, 6), np.uint8)).save(path)
    return Path("my photos")


def test_from_a_folder_of_images_to_a_run(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is what to type next, from the refusal to the run."""
    assert main(["plan", "dataset=custom", f"dataset.path={photos}"]) == 2
    typed = capsys.readouterr().err.partition("type: ")[2]
    assert shlex.split(typed) == ["ltr", "data", "import", "my photos"]
    assert main([*shlex.split(typed)[1:], "--test", "0.2"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out == (
        "my photos: a folder of images\n"
        "class  train  test\n"
        "dark      12     3\n"
        "light     12     3\n"
        "24 train, 6 test images of 6x6, 1 channel; 2 classes\n"
        "\n"
        "written to my photos.npz; to find tickets in it, type:\n"
        "  ltr run dataset=custom 'dataset.path=my photos.npz' dataset.validation=2\n"
    )
    words = shlex.split(said.out.splitlines()[-1])[2:]
    assert list(status_lines(from_words(words).dataset)) == [
        "data: 22 train, 2 validation (a share of each class), 6 test images of 6x6, 1 channel; 2 classes"
    ]


def test_as_json(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "import", str(photos), "--test", "0.2", "--output", "out.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "format": "a folder of images",
        "output": "out.npz",
        "shape": [6, 6, 1],
        "classes": ["dark", "light"],
        "examples": {"train": [12, 12], "test": [3, 3]},
        "notes": [],
        "command": "ltr run dataset=custom dataset.path=out.npz dataset.validation=2",
    }


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["my photos"],
            2,
            "my photos: has no test split; type --test 0.2 to make one of a fifth of each class",
        ),
        (["none"], 3, "none: no such file or folder"),
        (["my photos", "--output", "a.zip"], 2, "--output a.zip: must end in .npz"),
        (
            ["my photos", "--output", "there.npz"],
            2,
            "--output there.npz: exists already; remove it, or choose",
        ),
        (
            ["my photos", "--test", "0.2", "--output", "no/a.npz"],
            2,
            "--output no/a.npz: cannot be written (No su",
        ),
        (["my photos", "--label", "x"], 2, "--label: does not apply to my photos, a folder of images"),
        (["my photos", "--test", "2"], 2, "argument --test: 2 must be more than 0 and less than 1"),
        (["my photos", "--size", "32"], 2, "argument --size: 32 must be HEIGHTxWIDTH, as in 32x32"),
        (
            ["my photos", "--shape", "axb"],
            2,
            "argument --shape: axb must be HEIGHTxWIDTH or three dimensions",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    words: list[str], code: int, message: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there.npz").write_text("precious")
    try:
        left = main(["data", "import", *words])
    except SystemExit as caught:  # of argparse
        left = caught.code
    assert left == code
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
    assert Path("there.npz").read_text() == "precious"
    assert sorted(path.name for path in Path().iterdir()) == ["my photos", "there.npz"]


def test_a_file_does_not_replace_itself(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = np.random.default_rng(0).integers(0, 256, (8, 3, 5, 6), np.uint8), np.arange(8) % 2
    np.savez("mine.npz", X=images, y=labels)
    assert main(["data", "import", "mine.npz", "--test", "0.25", "--layout", "channels_last"]) == 0
    *_, command = capsys.readouterr().out.splitlines()
    assert "dataset.path=mine_imported.npz" in command
    assert command.endswith("dataset.layout=channels_last")
    assert "images of 3x5, 6 channels" in next(status_lines(from_words(shlex.split(command)[2:]).dataset))
