"""Small runs of earlier schema versions, which later versions of ltr must read.

python scripts/kept_runs.py           write what commands say of them, in tests/kept_runs/schema_N.json
python scripts/kept_runs.py --keep    first keep a run of the present schema version, as schema_N.zip
"""

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jax

import ltr
from ltr.api.loaded import Ticket
from ltr.store.catalog import SCHEMA_VERSION

KEPT = Path(__file__).parents[1] / "tests" / "kept_runs"

WORDS = (
    *("model.width=0.02", "steps=60", "eval_every=20", "rounds=2", "replicates=2", "sparse=never"),
    *("arms=[ticket,random_reinit,random_mask]", "seed=3"),
)
"""A run of networks so small that the folder is."""

COMMANDS = {
    "show": ("show", "last"),
    "show_round": ("show", "last", "--round", "1"),
    "ls": ("ls",),
    "doctor": ("doctor", "last"),
}

_LEFT_OUT = ("figures", "log.txt", ".lock")
_WRITTEN = 1_700_000_000
"""Time of modification of every file, in seconds since 1970."""


def main(words: list[str]) -> int:
    """Write the files."""
    if "--keep" in words:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            said(["run", "output_root=outputs", *WORDS])
            _keep(KEPT / f"schema_{SCHEMA_VERSION}.zip")
    for archive in sorted(KEPT.glob("*.zip")):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            unpack(archive)
            text = json.dumps(said_of_it(), indent=1, sort_keys=True)
            archive.with_suffix(".json").write_text(f"{text}\n")
    return 0


def unpack(archive: Path) -> None:
    """Unpack a kept run into outputs/ of the working directory."""
    with zipfile.ZipFile(archive) as files:
        files.extractall("outputs")
    for path in Path("outputs").rglob("*"):
        os.utime(path, (_WRITTEN, _WRITTEN))


def said_of_it() -> dict[str, Any]:
    """Return what each command says of the run in outputs/, as JSON, and digests of its tickets."""
    run = ltr.load("last")
    tickets = {
        str(round_number): _digest(run.ticket(round_number))
        for round_number in range(run.experiment.rounds + 1)
    }
    return {name: json.loads(said([*command, "--json"])) for name, command in COMMANDS.items()} | {
        "tickets": tickets
    }


def said(words: list[str]) -> str:
    """Return the standard output of a command; SystemExit if it fails."""
    from ltr.cli import main

    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(words)
    if code:
        raise SystemExit(f"ltr {' '.join(words)}: exit code {code}: {errors.getvalue()}")
    return output.getvalue()


def _digest(ticket: Ticket) -> str:
    """Return the SHA-256 of all arrays of a ticket."""
    arrays = jax.tree.leaves(ticket._asdict())
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _keep(archive: Path) -> None:
    archive.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for path in sorted(Path("outputs").rglob("*")):
            if not set(_LEFT_OUT) & set(path.parts) and path.is_file():
                files.write(path, path.relative_to("outputs"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
