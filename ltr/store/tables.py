"""The tables of a run: their schemas, and reading and writing them whole.

Rows are kept in the order of `LANE` and step, so a table does not depend on the order in which its
lanes were trained, nor on how often the run was stopped.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ltr.core import atomic
from ltr.errors import LtrError
from ltr.store import catalog


class LaneId(NamedTuple):
    """What names one training of a run; prints as the words to find it by."""

    round: int
    replicate: int
    arm: str
    draw: int

    def __str__(self) -> str:
        return f"round {self.round}, replicate {self.replicate}, {self.arm}, draw {self.draw}"


LANE = LaneId._fields

_lane = [
    pa.field("replicate", pa.int32(), nullable=False),
    pa.field("arm", pa.string(), nullable=False),
    pa.field("draw", pa.int32(), nullable=False),
    pa.field("round", pa.int32(), nullable=False),
]
_density = pa.field("density", pa.float64(), nullable=False)

METRICS = pa.schema(
    [
        *_lane,
        _density,
        pa.field("step", pa.int32(), nullable=False),
        pa.field("train_loss", pa.float32()),
        pa.field("val_loss", pa.float32(), nullable=False),
        pa.field("val_accuracy", pa.float32(), nullable=False),
        pa.field("test_loss", pa.float32()),
        pa.field("test_accuracy", pa.float32()),
    ]
)
"""A row per evaluation; losses are means in nats, accuracies fractions, the density that of the lane's end.

`train_loss` is the mean over the steps since the evaluation before, null where there were none. Those
of the test set are null where it was not asked (see `ltr.engine.program.program`).
"""

RESULTS = pa.schema(
    [
        *_lane,
        _density,
        pa.field("early_stop_step", pa.int32(), nullable=False),
        pa.field("accuracy_at_early_stop", pa.float32(), nullable=False),
        pa.field("final_accuracy", pa.float32(), nullable=False),
        pa.field("censored", pa.bool_(), nullable=False),
        pa.field("steps", pa.int32(), nullable=False),
        pa.field("flops", pa.float64(), nullable=False),
        pa.field("early_bird_step", pa.int32()),
    ]
)
"""A row per lane; accuracies are of the test set, the density is that at the end, flops are those of
its training: 2 for each product of its weights, and nothing else, whether the time was saved or not
(see `ltr.engine.flops`).

`early_bird_step` is null where it was not looked for, or not found (see `ltr.methods.early_bird`). Further
columns are what other methods note (see `ltr.methods.registry.Note`).
"""

NULLABLE = {
    "int32": pd.Int32Dtype(),
    "float64": pd.Float64Dtype(),
    "bool": pd.BooleanDtype(),
    "string": pd.StringDtype(),
}
"""Types of further columns, whose values may be missing, by their names in Arrow."""

TIMINGS = pa.schema([*_lane, pa.field("seconds", pa.float64(), nullable=False)])
"""A row per lane: wall-clock seconds of its training, apart because no two runs agree on them."""

CONNECTIVITY = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("statistics", pa.string()),
        pa.field("replicate", pa.int32(), nullable=False),
        pa.field("round", pa.int32(), nullable=False),
        _density,
        pa.field("rewind_step", pa.int32(), nullable=False),
        pa.field("alpha", pa.float32(), nullable=False),
        pa.field("error", pa.float32(), nullable=False),
    ]
)
"""A row per point of a line between two networks: the test error there, a fraction.

The ends of a line, at `alpha` 0 and 1, are of `kind` "orders" two copies of a ticket trained in
different data orders, of "rounds" the trained tickets of `round` and the next. Between them, `statistics` of
batch normalisation are "re-estimated" on training data or "interpolated"; "none" of networks without.
Tables of schema versions before 4 lack it: theirs are interpolated, where there are any.
"""

LANES = ("metrics", "results", "timings")
"""The tables that have rows of every lane."""

SCHEMAS = {"metrics": METRICS, "results": RESULTS, "timings": TIMINGS, "connectivity": CONNECTIVITY}


def read(folder: Path, name: str) -> pd.DataFrame:
    """Table `name` of a run folder; no rows where nothing has been written yet.

    Columns that may be null may be absent, as in tables of earlier versions; they are null then.

    Raises:
        LtrError: the file is damaged or is no such table; the message says what makes it again.
    """
    path = folder / f"{name}.parquet"
    if not path.exists():
        return SCHEMAS[name].empty_table().to_pandas()
    problem = ""
    try:
        found = pq.read_schema(path)
        problem = _mismatch(found, SCHEMAS[name])
        further = [field for field in found if field.name not in SCHEMAS[name].names]
        schema = pa.schema([*SCHEMAS[name], *further])
        table = pq.read_table(path, schema=schema, page_checksum_verification=True)
        problem = problem or _null(table)
    except PermissionError:
        raise LtrError(f"{path}: may not be read") from None
    except (OSError, ValueError, pa.ArrowException):
        problem = problem or "damaged"
    if problem:
        raise LtrError(f"{path}: {problem}; {_remedy(folder, name)}")
    return table.to_pandas().astype(
        {field.name: NULLABLE[kind] for field in further if (kind := str(field.type)) in NULLABLE}
    )


def _mismatch(found: pa.Schema, wanted: pa.Schema) -> str:
    """The columns that a table lacks or has of another kind; empty if there are none."""
    lacking = [field.name for field in wanted if not field.nullable and field.name not in found.names]
    if lacking:
        return f"lacks the columns {', '.join(lacking)}"
    for field in wanted:
        if field.name in found.names and (kind := _kind(found.field(field.name))) != _kind(field):
            return f"column {field.name} holds {kind}, not {_kind(field)}"
    return ""


def _kind(field: pa.Field) -> str:
    """The kind of values of a column: numbers of all widths are of one, also where all are missing."""
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    return "number" if is_number or pa.types.is_null(field.type) else str(field.type).removeprefix("large_")


def _null(table: pa.Table) -> str:
    """The first column that lacks values and may not; empty if there is none."""
    lacking = (field.name for field in table.schema if not field.nullable and table[field.name].null_count)
    return next((f"column {name} lacks values" for name in lacking), "")


def _remedy(folder: Path, name: str) -> str:
    """What makes a table again."""
    if name not in LANES:
        return f"remove it, and ltr connect {folder} measures it again"
    try:
        command = catalog.Run(folder).command
    except OSError:
        command = None
    return f"remove it, and {command or 'the command of the run'} trains its lanes again"


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Replace table `name` of a run folder, whole or not at all."""
    order = [column for column in ("kind", "statistics", *LANE, "step", "alpha") if column in frame.columns]
    further = frame.columns.difference(SCHEMAS[name].names, sort=False)
    schema = pa.schema([*SCHEMAS[name], *pa.Schema.from_pandas(frame[further], preserve_index=False)])
    table = pa.Table.from_pandas(frame.sort_values(order, kind="stable"), schema=schema, preserve_index=False)
    with atomic.replacing(folder / f"{name}.parquet") as file:
        pq.write_table(table.replace_schema_metadata(None), file, write_page_checksum=True)
