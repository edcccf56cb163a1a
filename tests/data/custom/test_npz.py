"""Damaged and odd .npz files: each is refused in one line, before memory is asked for."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ltr.data.npz import read_array, read_members

ABSURD = (10**6, 10**6, 10**6)


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    """Beginning of an .npy file."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"shape": shape, "fortran_order": False, "descr": dtype})
    return content.getvalue()


def archive(folder: Path, name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(folder / "mine.npz", "w", method) as file:
        file.writestr(name, content)
    return folder / "mine.npz"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", header(ABSURD), r"^x cannot be read \(shape \(.*\) of uint8: expected 1,000,000,000,000,"),
        ("x.npy", header((-1,)), r"^x cannot be read \(shape \(-1,\) of uint8: expected -1 bytes, found 0\)"),
        (
            "x.npy",
            header((2,)) + b"a",
            r"^x cannot be read \(shape \(2,\) of uint8: expected 2 bytes, found 1",
        ),
        ("x.npy", header((1,), "|O") + b"a", r"^x cannot be read \(Object arrays cannot be loaded"),
        (
            "x.npy",
            b"\x93NUMPY\x09\x00",
            r"^x cannot be read \(version 9\.0 of the \.npy format, must ",
        ),
        ("x.npy", b"no array", r"^x cannot be read \(the magic string is not correct"),
        ("x.npy", b"", r"^x cannot be read \("),
        ("read.me", b"no array", r"^read\.me is not an array, whose name is printable"),
        ("a\nb.npy", b"no array", r"^a\\nb is not an array"),
    ],
)
def test_a_member_that_is_no_array(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_members(archive(tmp_path, name, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (8, 1, r"^x cannot be read \(File .* is encrypted"),
        (10, 99, r"^x cannot be read \(.*compression method"),
        (24, 255, r"^x cannot be read \("),
    ],
    ids=["encrypted", "compression", "size"],
)
def test_a_directory_that_is_odd(offset: int, value: int, message: str, tmp_path: Path) -> None:
    path = archive(tmp_path, "x.npy", header((2,)) + b"ab")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_members(path)
    assert "\n" not in str(caught.value)


def test_arrays_larger_than_the_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path, "x.npy", header((5,)) + b"abcde", zipfile.ZIP_DEFLATED)
    assert read_members(path)["x"].tobytes() == b"abcde"
    monkeypatch.setattr("os.sysconf", lambda _: 2)
    with pytest.raises(ValueError, match=r"^takes \d+ bytes of memory; this machine has 4 bytes$"):
        read_members(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_as_numpy_reads_them(order: str, tmp_path: Path) -> None:
    array = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)
    np.save(path := tmp_path / "x.npy", array)
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_array(file, path.stat().st_size), np.load(path))
