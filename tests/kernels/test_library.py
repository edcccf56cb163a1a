from pathlib import Path

import pytest

from ltr.kernels import library


@pytest.mark.parametrize("content", [None, b"", b"not a library"])
def test_without_a_library_that_fits_there_are_no_kernels(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "products.so"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(library, "LIBRARY", path)
    assert library.instruction_set.__wrapped__() is None
