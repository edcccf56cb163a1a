"""Damaged files of every format: each is read, or refused in one line."""

import gzip
import io
import pickle
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ltr.data import importing
from ltr.data.importing.base import ImportOptions
from ltr.data.npz import read_npz
from ltr.errors import ConfigError

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 6, 6), np.uint8)
LABELS = np.arange(9) % 3


def npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(
        file, train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[:4], test_labels=LABELS[:4]
    )
    return file.getvalue()


def npy() -> bytes:
    np.save(file := io.BytesIO(), IMAGES)
    return file.getvalue()


def csv() -> bytes:
    rows = [[int(label), *image.ravel().tolist()] for label, image in zip(LABELS, IMAGES, strict=True)]
    lines = [["label", *range(36)], *rows]
    return gzip.compress("\n".join(",".join(map(str, line)) for line in lines).encode())


def idx() -> bytes:
    return gzip.compress(b"\0\0\x08\x03" + np.array(IMAGES.shape, ">u4").tobytes() + IMAGES.tobytes())


def png(image: np.ndarray) -> bytes:
    Image.fromarray(image).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def parquet() -> bytes:
    pq.write_table(pa.table({"image": list(map(png, IMAGES)), "label": LABELS}), file := io.BytesIO())
    return file.getvalue()


def cifar() -> bytes:
    batch = pickle.dumps({b"data": np.zeros((12, 3072), np.uint8), b"labels": 6 * [0, 1]})
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("data_batch_1")
        member.size = len(batch)
        archive.addfile(member, io.BytesIO(batch))
    return file.getvalue()


def damaged(content: bytes, generator: random.Random) -> bytes:
    """Return the content with a bit flipped, cut off, or with random bytes in a row."""
    changed, place = bytearray(content), generator.randrange(len(content))
    kind = generator.choice(["bit", "cut", "bytes"])
    if kind == "bit":
        changed[place] ^= 1 << generator.randrange(8)
    elif kind == "cut":
        del changed[place:]
    else:
        changed[place : place + 8] = generator.randbytes(8)
    return bytes(changed)


FORMATS = {
    "mine.npz": npz,
    "x_train.npy": npy,
    "train.csv.gz": csv,
    "train-images-idx3-ubyte.gz": idx,
    "train.parquet": parquet,
    "cifar.tar.gz": cifar,
}


@pytest.mark.parametrize(
    "count", [pytest.param(25, id="few"), pytest.param(2000, id="many", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_or_refused_in_one_line(name: str, count: int, tmp_path: Path) -> None:
    make: Callable[[], bytes] = FORMATS[name]
    content, generator = make(), random.Random(0)
    np.save(tmp_path / "y_train.npy", LABELS)
    labels = b"\0\0\x08\x01" + np.array(LABELS.shape, ">u4").tobytes() + LABELS.astype(np.uint8).tobytes()
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    path = tmp_path if name.endswith((".npy", "-ubyte.gz")) else tmp_path / name
    options = ImportOptions(test=None if name.endswith(".npz") else 0.3)
    (tmp_path / name).write_bytes(content)
    importing.read(path, options)
    refused: list[str] = []
    for _ in range(count):
        (tmp_path / name).write_bytes(damaged(content, generator))
        try:
            importing.read(path, options)
        except ConfigError as error:
            refused.append(str(error))
        try:
            if name.endswith(".npz"):
                read_npz(path)
        except (ValueError, OSError) as error:
            refused.append(str(error))
    assert refused
    assert not [message for message in refused if "\n" in message]
