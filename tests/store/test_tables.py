import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ltr.store import tables

LANE_COLUMNS = {"replicate": "int32", "arm": "string", "draw": "int32", "round": "int32"}
GOLDEN = {
    "metrics": LANE_COLUMNS
    | {"density": "double", "step": "int32", "train_loss": "float", "val_loss": "float"}
    | {"val_accuracy": "float", "test_loss": "float", "test_accuracy": "float"},
    "results": LANE_COLUMNS
    | {"density": "double", "early_stop_step": "int32", "accuracy_at_early_stop": "float"}
    | {"final_accuracy": "float", "censored": "bool", "steps": "int32", "flops": "double"}
    | {"search_flops": "double"}
    | {"early_bird_step": "int32", "reached_outputs": "int32", "dead_units": "int32"}
    | {"diverged_step": "int32", "emptied_layer": "string"},
    "timings": LANE_COLUMNS | {"seconds": "double", "search_seconds": "double"},
    "connectivity": {
        "kind": "string",
        "statistics": "string",
        "replicate": "int32",
        "round": "int32",
        "density": "double",
    }
    | {"rewind_step": "int32", "alpha": "float", "error": "float"},
}
NAMES = sorted(tables.LANES)


def frame(name: str) -> pd.DataFrame:
    """Four lanes, and two evaluations of each where the table holds evaluations."""
    lanes = pd.DataFrame(
        [(r, p, a, 0) for r in (0, 1) for p, a in ((0, "ticket"), (1, "one_shot"))],
        columns=["round", "replicate", "arm", "draw"],
    )
    rows = lanes.merge(pd.DataFrame({"step": [0, 100]}), how="cross") if name == "metrics" else lanes
    numbers = np.random.default_rng(0).random((len(rows), 20))
    missing = [column for column in GOLDEN[name] if column not in rows.columns]
    values = {column: numbers[:, i] for i, column in enumerate(missing)}
    whole: dict[str, object] = {"steps": 1000, "early_bird_step": 95, "early_stop_step": 100}
    whole |= {
        "censored": True,
        "reached_outputs": 9,
        "dead_units": 3,
        "diverged_step": 100,
        "emptied_layer": "output",
    }
    return rows.assign(**values | {column: whole[column] for column in missing if column in whole})


@pytest.mark.parametrize("name", GOLDEN)
def test_schemas_do_not_drift(name: str) -> None:
    schema = tables.SCHEMAS[name]
    assert {field.name: str(field.type) for field in schema} == GOLDEN[name]
    nullable = {
        "metrics": ["train_loss", "val_loss", "val_accuracy", "test_loss", "test_accuracy"],
        "results": [
            *("early_stop_step", "accuracy_at_early_stop", "final_accuracy"),
            *("search_flops", "early_bird_step", "reached_outputs"),
            *("dead_units", "diverged_step", "emptied_layer"),
        ],
        "timings": ["search_seconds"],
        "connectivity": ["statistics", "error"],
    }.get(name, [])
    assert [field.name for field in schema if field.nullable] == nullable


def test_there_are_no_other_tables() -> None:
    assert sorted(tables.SCHEMAS) == sorted(GOLDEN)
    assert {name for name in GOLDEN if "draw" in GOLDEN[name]} == set(tables.LANES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    tables.write(tmp_path, name, frame(name))
    order = [*tables.LANE, *(["step"] if name == "metrics" else [])]
    expected = pa.Table.from_pandas(
        frame(name).sort_values(order), tables.SCHEMAS[name], preserve_index=False
    )
    pd.testing.assert_frame_equal(tables.read(tmp_path, name), expected.to_pandas())


@pytest.mark.parametrize("name", NAMES)
def test_the_file_has_exactly_the_schema(name: str, tmp_path: Path) -> None:
    tables.write(tmp_path, name, frame(name))
    schema = pq.read_schema(tmp_path / f"{name}.parquet")
    assert schema.equals(tables.SCHEMAS[name], check_metadata=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_does_not_change_the_file(name: str, tmp_path: Path) -> None:
    files = set()
    for seed in range(3):
        tables.write(tmp_path, name, frame(name).sample(frac=1, random_state=seed))
        files.add((tmp_path / f"{name}.parquet").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_table_not_written_yet_has_no_rows(name: str, tmp_path: Path) -> None:
    empty = tables.read(tmp_path, name)
    assert empty.empty
    assert list(empty.columns) == list(GOLDEN[name])


def test_a_null_loss_before_the_first_step(tmp_path: Path) -> None:
    tables.write(tmp_path, "metrics", frame("metrics").assign(train_loss=None))
    assert tables.read(tmp_path, "metrics")["train_loss"].isna().all()


def test_a_write_that_fails_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.write(tmp_path, "timings", frame("timings"))
    before = tables.read(tmp_path, "timings")

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        tables.write(tmp_path, "timings", frame("timings").assign(seconds=0.0))
    pd.testing.assert_frame_equal(tables.read(tmp_path, "timings"), before)


def test_a_table_of_before_a_column_was_there_has_nulls_in_it(tmp_path: Path) -> None:
    schema = tables.RESULTS.remove(tables.RESULTS.get_field_index("early_bird_step"))
    old = pa.Table.from_pandas(frame("results"), schema, preserve_index=False)
    pq.write_table(old, tmp_path / "results.parquet")
    found = tables.read(tmp_path, "results")
    assert list(found.columns) == tables.RESULTS.names
    assert found["early_bird_step"].isna().all()
