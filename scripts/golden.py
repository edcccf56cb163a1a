"""Compare the numbers of a small run on digits with those of an earlier version.

python scripts/golden.py          print what changed
python scripts/golden.py --write  print what changed, and write the new numbers
"""

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

FILES = Path(__file__).parents[1] / "tests" / "golden"

WORDS = ("rounds=2", "replicates=2", "steps=100", "eval_every=50", "sparse=never")
"""The default experiment: LeNet-300-100 on digits, its four arms, Adam, batches of 60."""

EXACT = ("replicate", "arm", "draw", "round", "step", "density", "censored", "steps", "flops")
"""Columns that must agree exactly (density and flops to 1e-8)."""

TOLERANCES = {
    "train_loss": 1e-4,
    "val_loss": 1e-4,
    "test_loss": 1e-4,
    "val_accuracy": 1.5 / 240,
    "test_accuracy": 1.5 / 360,
    "accuracy_at_early_stop": 1.5 / 360,
    "final_accuracy": 1.5 / 360,
}
"""Largest difference of each measured column: relative for losses, absolute (one example) for accuracies."""

Tables = dict[str, pd.DataFrame]


def run(root: Path, *words: str) -> Tables:
    """Return the metrics and results tables of the golden run, trained below `root`.

    `words` are further overrides, such as `devices=1` or `sparse=always`.
    """
    from ltr.cli import main
    from ltr.store import tables

    knobs = {word.partition("=")[0]: word for word in (*WORDS, *words)}
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        code = main(["run", f"output_root={root}", *knobs.values()])
    if code:
        raise SystemExit(f"ltr run ended with exit code {code}: {quiet.getvalue()}")
    (folder,) = root.iterdir()
    return {name: _compared(tables.read(folder, name)) for name in ("metrics", "results")}


def read(folder: Path = FILES) -> Tables:
    """Return the stored tables of the golden run."""
    return {name: pd.read_csv(folder / f"{name}.csv") for name in ("metrics", "results")}


def write(tables: Tables, folder: Path = FILES) -> None:
    """Write the tables as CSV. Floats have nine digits, which is exact for float32."""
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.9g")


def moved(old: Tables, new: Tables) -> list[str]:
    """Return a line for each column that differs by more than its tolerance."""
    return [line for name in old for line in _moved(name, old[name], new[name])]


def spread(old: Tables, new: Tables) -> dict[str, float]:
    """Return the largest difference of each measured column, in the units of `TOLERANCES`."""
    return {
        column: float(np.nanmax(_difference(column, old[name], new[name])))
        for name in old
        for column in old[name]
        if column in TOLERANCES
    }


def _compared(table: pd.DataFrame) -> pd.DataFrame:
    return table[[column for column in table if column in {*EXACT, *TOLERANCES}]]


def _moved(name: str, old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    if list(old) != list(new) or len(old) != len(new):
        before, after = (f"{len(table)} rows of {', '.join(map(str, table))}" for table in (old, new))
        return [f"{name}: {before} became {after}"]
    lines = []
    for column in old:
        if column in TOLERANCES:
            bad = _difference(column, old, new) > TOLERANCES[column]
            bad |= (old[column].isna() != new[column].isna()).to_numpy()
        elif column == "density" or column == "flops":
            bad = ~np.isclose(old[column], new[column], rtol=1e-8, atol=0)
        else:
            bad = (old[column] != new[column]).to_numpy()
        if bad.any():
            first = int(np.argmax(bad))
            lane = " ".join(f"{key}={old[key][first]}" for key in ("round", "replicate", "arm"))
            lines.append(
                f"{name}.{column}: {bad.sum()} of {len(bad)} rows moved; "
                f"{lane}: {old[column][first]} -> {new[column][first]}"
            )
    return lines


def _difference(column: str, old: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
    """Return the difference of each row, relative for losses; 0 where both are missing."""
    before, after = (table[column].to_numpy(np.float64) for table in (old, new))
    scale = np.abs(before) if column.endswith("loss") else 1.0
    return np.nan_to_num(np.abs(before - after) / scale)


def main() -> None:
    """Train the golden run and print what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the new numbers")
    parser.add_argument("words", nargs="*", help="further overrides, such as devices=1")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        new = run(Path(root), *args.words)
    old = read() if (FILES / "results.csv").exists() else new
    print("\n".join(moved(old, new)) or "all within tolerance")
    print(
        "largest differences:", {column: float(f"{value:.2g}") for column, value in spread(old, new).items()}
    )
    if args.write:
        write(new)


if __name__ == "__main__":
    main()
