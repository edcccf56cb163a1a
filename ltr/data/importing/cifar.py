"""CIFAR's Python version: pickled batches in a folder or .tar.gz, unpickled without running their code."""

import io
import pickle
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ltr.data.importing.base import Format, ImportOptions, RawData, split_of
from ltr.data.limits import require_memory
from ltr.errors import reason

_META = ("batches.meta", "meta")
_LABELS = (b"labels", b"fine_labels")
_NAMES = (b"label_names", b"fine_label_names")


class _Type:
    """Stand-in for a NumPy dtype during unpickling."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        self._code, self._order = _text(code), "|"

    def __setstate__(self, state: Sequence[Any]) -> None:
        self._order = _text(state[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype; UnpicklingError if it is not numeric, as the bytes of an object would be an address."""
        dtype = np.dtype(f"{self._order}{self._code}")
        if dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"holds {dtype}, not numbers")
        return dtype


class _Array:
    """Stand-in for a NumPy array during unpickling."""

    def __init__(self, *_: Any) -> None:
        self.numbers: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, shape, kind, is_fortran, content = state
        self.numbers = np.frombuffer(content, kind.dtype).reshape(shape, order="F" if is_fortran else "C")


def _from_buffer(content: Any, kind: _Type, shape: tuple[int, ...], order: Literal["C", "F"]) -> _Array:
    """Return the array that `numpy._core.numeric._frombuffer` would, which newer pickles call."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", content))
    return array


def _text(word: str | bytes) -> str:
    return word.decode() if isinstance(word, bytes) else word


_ALLOWED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): str.encode,
}
"""Stand-ins for the names that a pickle may use. NumPy's own would trust any state that a pickle holds."""


class _ArraysOnly(pickle.Unpickler):
    """Unpickler of numbers, strings, lists, dictionaries and arrays, which refuses all other code."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"asks for {module}.{name}, which is not an array") from None


def recognises(path: Path) -> bool:
    """Return whether a path is a folder of batches, or a tar archive with cifar in its name."""
    if path.is_file():
        return "cifar" in path.name.lower() and path.name.endswith((".tar.gz", ".tgz", ".tar"))
    names = {file.name for file in path.iterdir() if file.is_file()}
    return any(map(_is_batch, names)) and (bool(names & set(_META)) or "test_batch" in names)


def read(path: Path, options: ImportOptions) -> RawData:
    """Read batches `data_batch_1` to `5` and `test_batch`, or `train` and `test`; a row is 3x32x32 values."""
    images: dict[str, list[Any]] = {}
    labels: dict[str, list[Any]] = {}
    class_names = None
    for name, content in sorted(_contents(path).items()):
        loaded = _loaded(name, content)
        if name in _META:
            class_names = [_text(word) for word in _first(name, loaded, _NAMES)]
            continue
        split = split_of(name) or "train"
        images.setdefault(split, []).append(_images(name, loaded))
        labels.setdefault(split, []).append(np.asarray(_first(name, loaded, _LABELS)))
    if not images:
        raise ValueError("has no batch; needs data_batch_1 and test_batch, or train and test")
    return RawData(_joined(images), _joined(labels), class_names)


def _joined(batches: Mapping[str, list[Any]]) -> dict[str, NDArray[Any]]:
    return {split: np.concatenate(parts) for split, parts in batches.items()}


def _is_batch(name: str) -> bool:
    return name in ("train", "test", "test_batch") or name.startswith("data_batch_")


def _contents(path: Path) -> dict[str, bytes]:
    """Return the contents of the batches and of the file of class names, by file name."""
    if path.is_dir():
        files = (file for file in path.iterdir() if file.is_file())
        return {file.name: file.read_bytes() for file in files if _is_batch(file.name) or file.name in _META}
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            inside = {name: file for name, file in members.items() if _is_batch(name) or name in _META}
            require_memory(sum(file.size for file in inside.values()))
            return {
                name: archive.extractfile(file).read()  # type: ignore[union-attr]
                for name, file in inside.items()
            }
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"cannot be read as a tar archive ({reason(error)})") from None


def _loaded(name: str, content: bytes) -> Mapping[bytes, Any]:
    try:
        loaded = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # damaged pickles raise errors of any type
        raise ValueError(f"{name}: not a batch of CIFAR ({reason(error)})") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{name}: not a batch of CIFAR (holds a {type(loaded).__name__})")
    return {
        key.encode() if isinstance(key, str) else key: value.numbers if isinstance(value, _Array) else value
        for key, value in loaded.items()
    }


def _first(name: str, batch: Mapping[bytes, Any], keys: tuple[bytes, ...]) -> Any:
    for key in keys:
        if key in batch:
            return batch[key]
    raise ValueError(f"{name}: has no {' or '.join(key.decode() for key in keys)}")


def _images(name: str, batch: Mapping[bytes, Any]) -> NDArray[Any]:
    planes = np.asarray(_first(name, batch, (b"data",)))
    if planes.ndim != 2 or planes.shape[1] != 3072:
        raise ValueError(f"{name}: its data have shape {planes.shape}, must have (N, 3072)")
    return planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


FORMAT = Format("batches of CIFAR", recognises, read)
