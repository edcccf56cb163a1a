"""Parquet files that carry a checksum, which is looked at before anything else of them is believed.

Parquet's own checksums cover the pages alone: a flipped bit in a page header or in the footer can turn a
column into nulls without an error. A file of ltr therefore holds, between Parquet's magic number and the
first page, `MARK` and the SHA-256 of all its other bytes. Parquet finds pages by their offsets in the footer,
so other tools (pandas, Polars, DuckDB) read these files as any other. The checksum is part of the file that
it covers, so one rename commits both.
"""

import hashlib
import operator

import pyarrow as pa
import pyarrow.parquet as pq

MARK = b"SHA-256:"

_MAGIC = b"PAR1"
_DIGEST = slice(len(_MAGIC) + len(MARK), len(_MAGIC) + len(MARK) + hashlib.sha256().digest_size)


def encode(table: pa.Table) -> bytes:
    """Return a table as a file with a checksum."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, write_page_checksum=True) as writer:
        sink.write(MARK + bytes(_DIGEST.stop - _DIGEST.start))
        writer.write_table(table)
    content = bytearray(sink.getvalue())
    content[_DIGEST] = _digest(content)
    return bytes(content)


def has_checksum(content: bytes) -> bool:
    """Return whether a file carries a checksum; those of earlier versions carry none.

    A mark of which most bytes are there is a damaged one. Files without a mark begin with a page instead.
    """
    mark = content[len(_MAGIC) : _DIGEST.start]
    return 2 * sum(map(operator.eq, mark, MARK)) > len(MARK)


def require_whole(content: bytes) -> None:
    """Raise ValueError if a file has a checksum, and another than its bytes."""
    if has_checksum(content) and content[_DIGEST] != _digest(content):
        raise ValueError("other bytes than were written")


def _digest(content: bytes | bytearray) -> bytes:
    """Return the SHA-256 of all bytes but those of the digest itself."""
    digest = hashlib.sha256(content[: _DIGEST.start])
    digest.update(content[_DIGEST.stop :])
    return digest.digest()
