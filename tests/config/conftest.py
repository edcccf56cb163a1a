"""Files of a copy of configs/."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ltr.config import groups

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file, as in `write("experiment/mine", text)`, into a copy of configs/."""
    configs = shutil.copytree(groups.config_dir(), tmp_path / "configs")
    monkeypatch.setattr(groups, "config_dir", lambda: configs)

    def write(name: str, text: str | bytes) -> Path:
        path = Path(f"{configs / name}.yaml")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write
