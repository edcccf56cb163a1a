"""Tables of a run: schemas, reading and writing.

Rows are sorted by `LANE` and step, so a table depends neither on the order in which lanes were trained nor
on interruptions of the run.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ltr.core import atomic
from ltr.errors import LtrError
from ltr.store import catalog, parquet
from ltr.store.damage import DAMAGED, MISSING, DamageError


class _SchemaError(Exception):
    """A table has another schema than its name says; the message says in what."""


class LaneId(NamedTuple):
    """Identifier of a lane, one training of a run."""

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
        pa.field("val_loss", pa.float32()),
        pa.field("val_accuracy", pa.float32()),
        pa.field("test_loss", pa.float32()),
        pa.field("test_accuracy", pa.float32()),
    ]
)
"""Schema with a row per evaluation. Losses are means in nats, accuracies are fractions, and `density` is
that at the end of the lane.

`train_loss` is the mean over the steps since the previous evaluation, null at the first. `test_loss` and
`test_accuracy` are null where the test set was not evaluated (see `ltr.engine.program.program`). `val_loss`
and `val_accuracy` are null in the last row of a lane that diverged: there its loss or its weights were no
longer finite.
"""

RESULTS = pa.schema(
    [
        *_lane,
        _density,
        pa.field("early_stop_step", pa.int32()),
        pa.field("accuracy_at_early_stop", pa.float32()),
        pa.field("final_accuracy", pa.float32()),
        pa.field("censored", pa.bool_(), nullable=False),
        pa.field("steps", pa.int32(), nullable=False),
        pa.field("flops", pa.float64(), nullable=False),
        pa.field("search_flops", pa.float64()),
        pa.field("early_bird_step", pa.int32()),
        pa.field("reached_outputs", pa.int32()),
        pa.field("dead_units", pa.int32()),
        pa.field("diverged_step", pa.int32()),
        pa.field("emptied_layer", pa.string()),
    ]
)
"""Schema with a row per lane. Accuracies are test accuracies, and `density` is that at the end of training.

`flops` are those of the whole training: 2 for each product of its weights and nothing else, whether or not
sparsity saved time (see `ltr.engine.flops`). `search_flops` are those of finding the mask that it starts
from (see `ltr.experiment.search_cost`), null if they are unknown. `early_bird_step` is null if it was not
recorded or not reached (see `ltr.methods.early_bird`). A lane without a result (see `ltr.store.chains`) has
neither early stop nor accuracies: `diverged_step` is the step of the evaluation that found its loss or its
weights not finite, `emptied_layer` the layer that pruning emptied in a ticket that was not trained.
`reached_outputs` and `dead_units` are of the network after its training (see `ltr.models.paths`), null if
they are unknown or the lane has no result. Methods may add further columns (see
`ltr.methods.registry.Note`).
"""

NULLABLE = {
    "int32": pd.Int32Dtype(),
    "float64": pd.Float64Dtype(),
    "bool": pd.BooleanDtype(),
    "string": pd.StringDtype(),
}
"""Pandas types of further columns, whose values may be missing, by the names of their Arrow types."""

TIMINGS = pa.schema(
    [
        *_lane,
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("search_seconds", pa.float64()),
    ]
)
"""Schema with a row per lane: wall-clock seconds of its training, and of finding its mask (null if unknown).
A separate table, as times differ between otherwise equal runs."""

CONNECTIVITY = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("statistics", pa.string()),
        pa.field("replicate", pa.int32(), nullable=False),
        pa.field("round", pa.int32(), nullable=False),
        _density,
        pa.field("rewind_step", pa.int32(), nullable=False),
        pa.field("alpha", pa.float32(), nullable=False),
        pa.field("error", pa.float32()),
    ]
)
"""Schema with a row per point on a line between two networks: the test error there, a fraction; null if
either network diverged.

The ends of a line are at `alpha` 0 and 1. In rows of `kind` "orders" they are two copies of a ticket trained
in different data orders; in rows of `kind` "rounds" they are the trained tickets of `round` and the next.
`statistics` names the batch-normalisation statistics between the ends: "re-estimated" on training data,
"interpolated", or "none" for networks without batch normalisation. Tables of schema versions before 4
lack this column: their statistics, if the network has any, are interpolated.
"""

LANES = ("metrics", "results", "timings")
"""Names of the tables with rows of every lane."""

SCHEMAS = {"metrics": METRICS, "results": RESULTS, "timings": TIMINGS, "connectivity": CONNECTIVITY}

ADDED_BEFORE_CHECKSUMS = {"early_bird_step", "statistics"}
"""Columns that a table without a checksum may lack, as it is of a version that did not write them."""

ADDED_SINCE_CHECKSUMS = {
    "reached_outputs",
    "dead_units",
    "diverged_step",
    "emptied_layer",
    "search_flops",
    "search_seconds",
}
"""Columns that no version without checksums wrote."""

ADDED = ADDED_BEFORE_CHECKSUMS | ADDED_SINCE_CHECKSUMS
"""Columns that tables of earlier versions lack."""

HOLDS = {
    "metrics": "the learning curves",
    "results": "the results",
    "timings": "the times",
    "connectivity": "the barriers",
}
"""What is lost with a table."""


def file_of(folder: Path, name: str) -> Path:
    """Return the path of table `name` of a run folder."""
    return folder / f"{name}.parquet"


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read table `name` of a run folder; without rows if it has not been written yet.

    Columns of `ADDED` that are absent, as in tables of earlier versions, are filled with nulls.

    Raises:
        DamageError: the file is damaged or missing, or has another schema.
        LtrError: the file may not be read.
    """
    path = file_of(folder, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if is_lost(folder, name):
            raise damage(folder, name, MISSING) from None
        return SCHEMAS[name].empty_table().to_pandas()
    except OSError as error:
        raise LtrError(f"{path}: may not be read ({error.strerror})") from None
    try:
        table = _table(content, SCHEMAS[name])
    except _SchemaError as error:
        raise damage(folder, name, str(error)) from None
    except (OSError, ValueError, pa.ArrowException):
        raise damage(folder, name, DAMAGED) from None
    further = [field for field in table.schema if field.name not in SCHEMAS[name].names]
    return table.to_pandas().astype(
        {field.name: NULLABLE[kind] for field in further if (kind := str(field.type)) in NULLABLE}
    )


def is_lost(folder: Path, name: str) -> bool:
    """Return whether a table of lanes that is not there was written before.

    Other files show it: `results` is written last, `run.json` counts the lanes when a session ends, and the
    tickets of a second round are saved after the first is committed.
    """
    if name not in LANES or file_of(folder, name).exists():
        return False
    rounds = [*(folder / catalog.CHECKPOINTS).glob("round_*")]
    return file_of(folder, "results").exists() or catalog.lanes(folder) > 0 or len(rounds) > 1


def damage(folder: Path, name: str, problem: str) -> DamageError:
    """Return the error for a missing or damaged table."""
    lost = HOLDS[name]
    again = f"ltr connect {folder} measures them again"
    if name in LANES:
        lost, again = f"{lost} of every lane", f"{catalog.command(folder)} trains every lane again"
    if problem != MISSING:
        again = f"type ltr doctor {folder} --repair, which moves it aside, and {again}"
    return DamageError(file_of(folder, name), problem, lost, f"restore it from a copy, or {again}")


def _table(content: bytes, required: pa.Schema) -> pa.Table:
    """Return a table of at least the required columns; _SchemaError if it has others.

    Raises:
        _SchemaError: the table has another schema.
        OSError, ValueError, pa.ArrowException: the file is damaged.
    """
    parquet.require_whole(content)
    present = pq.read_schema(pa.BufferReader(content))
    problem = _mismatch(present, required)
    if not parquet.has_checksum(content):
        problem = problem or _mismatch_of_older(present, required)
    if problem:
        raise _SchemaError(problem)
    further = [field for field in present if field.name not in required.names]
    schema = pa.schema([*required, *further])
    table = pq.read_table(pa.BufferReader(content), schema=schema, page_checksum_verification=True)
    if problem := _null(table):
        raise _SchemaError(problem)
    return table


def _mismatch_of_older(present: pa.Schema, required: pa.Schema) -> str:
    """Return a message for columns that no earlier version wrote, or did not leave out; empty without any.

    A damaged name would otherwise make a nullable column absent and a further one of another name.
    """
    lacking = {field.name for field in required} - set(present.names) - ADDED_SINCE_CHECKSUMS
    further = set(present.names) - {field.name for field in required}
    if missing := lacking - ADDED_BEFORE_CHECKSUMS:
        return f"lacks the columns {', '.join(sorted(missing))}"
    if further and (lacking or required is not RESULTS):
        return f"has unknown columns {', '.join(sorted(further))}"
    return ""


def _mismatch(present: pa.Schema, required: pa.Schema) -> str:
    """Return a message for missing columns or a column of another type; empty if there are none."""
    lacking = [name for name in required.names if name not in {*present.names, *ADDED}]
    if lacking:
        return f"lacks the columns {', '.join(lacking)}"
    for field in required:
        if field.name in present.names and (kind := _kind(present.field(field.name))) != _kind(field):
            return f"column {field.name} holds {kind}, not {_kind(field)}"
    return ""


def _kind(field: pa.Field) -> str:
    """Return the type of a column as text; all numbers, and columns without any value, are "number"."""
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    return "number" if is_number or pa.types.is_null(field.type) else str(field.type).removeprefix("large_")


def _null(table: pa.Table) -> str:
    """Return a message for the first required column with missing values; empty if there is none."""
    lacking = (field.name for field in table.schema if not field.nullable and table[field.name].null_count)
    return next((f"column {name} lacks values" for name in lacking), "")


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Replace table `name` of a run folder atomically; nullable columns that are absent are nulls."""
    absent = [field.name for field in SCHEMAS[name] if field.nullable and field.name not in frame]
    frame = frame.assign(**dict.fromkeys(absent))
    order = [column for column in ("kind", "statistics", *LANE, "step", "alpha") if column in frame.columns]
    further = frame.columns.difference(SCHEMAS[name].names, sort=False)
    schema = pa.schema([*SCHEMAS[name], *pa.Schema.from_pandas(frame[further], preserve_index=False)])
    table = pa.Table.from_pandas(frame.sort_values(order, kind="stable"), schema=schema, preserve_index=False)
    atomic.write_bytes(file_of(folder, name), parquet.encode(table.replace_schema_metadata(None)))
