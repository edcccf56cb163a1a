"""A table that is not exactly as it was written is refused; other tools read it like any other."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ltr.store import parquet, tables
from ltr.store.damage import DamageError
from tests.store.test_tables import NAMES, frame


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a small table that is written to `tmp_path`."""
    tables.write(tmp_path, request.param, frame(request.param))
    return request.param


def assert_refused(folder: Path, name: str, bits: Iterable[int]) -> None:
    """Reading the table is refused in one line when any of these bits is flipped."""
    path = tables.file_of(folder, name)
    content = path.read_bytes()
    said = f"{path}: damaged; lost: {tables.HOLDS[name]} of every lane; restore it from a copy, or type "
    for bit in bits:
        altered = bytearray(content)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        with pytest.raises(DamageError) as caught:
            tables.read(folder, name)
        assert str(caught.value).startswith(said), bit
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_is_refused(name: str, tmp_path: Path) -> None:
    size = tables.file_of(tmp_path, name).stat().st_size
    assert_refused(tmp_path, name, [*range(0, 48 * 8, 5), *range(48 * 8, 8 * size, 151)])


@pytest.mark.slow
def test_every_flipped_bit_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(tmp_path, name, range(8 * tables.file_of(tmp_path, name).stat().st_size))


def test_a_table_cut_anywhere_is_refused(name: str, tmp_path: Path) -> None:
    path = tables.file_of(tmp_path, name)
    content = path.read_bytes()
    for length in [0, 3, 4, 12, 43, 44, *range(100, len(content), 100), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(DamageError, match=f"{name}.parquet: damaged"):
            tables.read(tmp_path, name)


def test_parquet_itself_reads_the_table(name: str, tmp_path: Path) -> None:
    path = tables.file_of(tmp_path, name)
    read = pq.read_table(path)
    assert read.schema.metadata is None
    pd.testing.assert_frame_equal(read.to_pandas(), tables.read(tmp_path, name))
    pd.testing.assert_frame_equal(pd.read_parquet(path), tables.read(tmp_path, name))


def older(folder: Path, name: str, table: pa.Table) -> None:
    """Write a table as versions before checksums did."""
    path = tables.file_of(folder, name)
    pq.write_table(table.replace_schema_metadata(None), path, write_page_checksum=True)


def test_a_table_of_before_checksums_is_read(name: str, tmp_path: Path) -> None:
    expected = tables.read(tmp_path, name)
    older(tmp_path, name, pa.Table.from_pandas(expected, tables.SCHEMAS[name], preserve_index=False))
    assert not parquet.has_checksum(tables.file_of(tmp_path, name).read_bytes())
    pd.testing.assert_frame_equal(tables.read(tmp_path, name), expected)


@pytest.mark.parametrize(
    ("name", "renamed", "problem"),
    [
        ("metrics", {"test_loss": "tesu_loss"}, "lacks the columns test_loss"),
        ("results", {"early_bird_step": "early_bird_stdp"}, "has unknown columns early_bird_stdp"),
        ("timings", {"seconds": "secondr"}, "lacks the columns seconds"),
    ],
)
def test_a_damaged_name_of_a_column_of_before_checksums_is_refused(
    name: str, renamed: dict[str, str], problem: str, tmp_path: Path
) -> None:
    whole = pa.Table.from_pandas(frame(name), tables.SCHEMAS[name], preserve_index=False)
    columns = [renamed.get(column, column) for column in whole.column_names]
    older(tmp_path, name, whole.rename_columns(columns))
    with pytest.raises(DamageError, match=problem):
        tables.read(tmp_path, name)
