from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ltr.data import importing
from ltr.data.content import Content
from ltr.data.importing.base import ImportOptions
from ltr.errors import ConfigError


@pytest.fixture
def folder(pictures: Callable[..., np.ndarray], tmp_path: Path) -> Path:
    """train/ and test/ of cats and dogs, 4x6, in colour: 4 and 2 of each."""
    images = iter(pictures(12, 4, 6, 3))
    for split, count in (("train", 4), ("test", 2)):
        for kind in ("cat", "dog"):
            for number in range(count):
                write(tmp_path / "pets" / split / kind / f"{number}.png", Image.fromarray(next(images)))
    return tmp_path / "pets"


def write(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def test_splits_of_classes(
    folder: Path, pictures: Callable[..., np.ndarray], imported: Callable[..., Content]
) -> None:
    content = imported(folder)
    np.testing.assert_array_equal(content.train.images, pictures(12, 4, 6, 3)[:8])
    np.testing.assert_array_equal(content.test.images, pictures(12, 4, 6, 3)[8:])
    assert content.train.labels.tolist() == [0] * 4 + [1] * 4
    assert content.class_names == ("cat", "dog")


def test_a_folder_named_val_is_the_validation_split(folder: Path, imported: Callable[..., Content]) -> None:
    (folder / "test").rename(folder / "val")
    with pytest.raises(ConfigError, match="has no test split"):
        imported(folder)
    content = imported(folder, test=0.25)
    assert {name: len(split.labels) for name, split in content.splits.items()} == {
        "train": 6,
        "validation": 4,
        "test": 2,
    }


def test_classes_alone(folder: Path, imported: Callable[..., Content]) -> None:
    """A class may be called as a split is."""
    (folder / "train" / "dog").rename(folder / "train" / "test")
    content = imported(folder / "train", test=0.25)
    assert content.class_names == ("cat", "test")
    assert np.bincount(content.test.labels).tolist() == [1, 1]


def test_sizes_that_differ_name_two_files_and_what_to_type(folder: Path) -> None:
    write(folder / "test" / "cat" / "odd.png", Image.new("RGB", (5, 9)))
    message = r"train/cat/0\.png is 4x6 and test/cat/odd\.png is 9x5; type --size 4x6 to resize all to that$"
    with pytest.raises(ConfigError, match=f"^{folder}: {message}"):
        importing.read(folder, ImportOptions())
    content, _, notes = importing.read(folder, ImportOptions(size=(4, 6)))
    assert content.shape == (4, 6, 3)
    assert notes == ["1 of 13 images was resized to 4x6"]


def test_grey_among_colours_and_transparency_are_said(folder: Path) -> None:
    write(folder / "test" / "cat" / "8.png", Image.new("L", (6, 4), 77))
    write(folder / "test" / "cat" / "9.png", Image.new("RGBA", (6, 4), (255, 0, 0, 0)))
    content, _, notes = importing.read(folder, ImportOptions())
    assert content.test.images[2].tolist() == [[[77] * 3] * 6] * 4
    assert content.test.images[3].tolist() == [[[255] * 3] * 6] * 4
    assert notes == [
        "1 of 14 images was grey and converted to RGB like the others",
        "1 of 14 images was transparent and composited on white",
    ]


def test_only_grey_images_stay_grey(tmp_path: Path, imported: Callable[..., Content]) -> None:
    for kind, value in (("a", 10), ("b", 200)):
        for number in range(3):
            write(tmp_path / "grey" / kind / f"{number}.png", Image.new("L", (3, 2), value + number))
    content = imported(tmp_path / "grey", test=0.34)
    assert content.shape == (2, 3, 1)
    assert sorted({*content.train.images.ravel(), *content.test.images.ravel()}) == [
        10,
        11,
        12,
        200,
        201,
        202,
    ]


def test_images_on_their_side_are_turned(folder: Path) -> None:
    image = Image.fromarray(np.arange(72, dtype=np.uint8).reshape(6, 4, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(folder / "test" / "dog" / "side.png", exif=exif)
    content, _, _ = importing.read(folder, ImportOptions())
    np.testing.assert_array_equal(content.test.images[-1], np.rot90(np.asarray(image), -1))


def test_what_is_no_image_is_left_out_and_said(folder: Path) -> None:
    (folder / "train" / "cat" / "notes.txt").write_text("hello")
    (folder / "train" / "cat" / ".DS_Store").write_text("")
    write(folder / "stray.png", Image.new("RGB", (6, 4)))
    content, _, notes = importing.read(folder, ImportOptions())
    assert len(content.train.labels) == 8
    assert notes == [
        "1 file is not of an image format, the first train/cat/notes.txt",
        "1 image left out: in no class folder",
    ]


def test_a_damaged_image_is_one_line(folder: Path) -> None:
    path = folder / "test" / "dog" / "1.png"
    content = path.read_bytes()
    for damaged in (b"no image", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(
            ConfigError, match=rf"^{folder}: test/dog/1\.png: cannot be read as an image "
        ) as caught:
            importing.read(folder, ImportOptions())
        assert "\n" not in str(caught.value)


def test_images_of_16_bits_are_refused(folder: Path) -> None:
    write(folder / "train" / "cat" / "deep.png", Image.fromarray(np.full((4, 6), 4095, np.uint16)))
    with pytest.raises(ConfigError, match=r"train/cat/deep\.png: has more than 8 bits a pixel"):
        importing.read(folder, ImportOptions())


def test_folders_that_are_no_classes_or_splits_are_named(folder: Path) -> None:
    (folder / "train" / "fish").mkdir()
    with pytest.raises(ConfigError, match="train/fish: a class folder without images"):
        importing.read(folder, ImportOptions())
    (folder / "train" / "fish").rmdir()
    (folder / "test").rename(folder / "more")
    with pytest.raises(ConfigError, match="more: must be one folder each for train, validation and test"):
        importing.read(folder, ImportOptions())
