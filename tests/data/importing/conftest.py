"""Pictures to import, and a shorthand for importing them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.config.schema import Dataset as Config
from ltr.data import importing
from ltr.data.content import Content
from ltr.data.custom import pinned
from ltr.data.dataset import load
from ltr.data.importing.base import ImportOptions
from ltr.data.npz import write_npz


@pytest.fixture(scope="session")
def pictures() -> Callable[..., np.ndarray]:
    """A number of different images of a shape."""

    def make(count: int, *shape: int) -> np.ndarray:
        return np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8)

    return make


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Content]:
    """What is imported from a path, with options, once a run has read it from the file that was written."""

    def read(path: Path, **options: Any) -> Content:
        content = importing.read(path, ImportOptions(**options)).content
        write_npz(tmp_path / "imported.npz", content)
        count = len(content.class_names)
        config = pinned(Config("custom", count, path=str(tmp_path / "imported.npz"), split="auto"))
        dataset = load(dataclasses.replace(config), None)
        for found, written in ((dataset.test, content.test), (dataset.validation, content.validation)):
            if written is not None:
                np.testing.assert_array_equal(found.images, written.images)
                np.testing.assert_array_equal(found.labels, written.labels)
        return content

    return read
