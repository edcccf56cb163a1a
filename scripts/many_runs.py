"""Folders of many runs, made from one real run, on which `ltr ls` is measured.

python scripts/many_runs.py outputs/RUN ROOT 10000
time ltr ls --output-root ROOT

Of every 100 runs one has crashed and one has failed. The folders hold `run.json`, `config.yaml` and the lock;
their seeds and learning rates differ.
"""

import sys
from pathlib import Path
from typing import Any

from ltr.store import catalog, sealed_text
from ltr.store.lock import FILES


def main(words: list[str]) -> int:
    """Write the folders."""
    source, root, count = Path(words[0]), Path(words[1]), int(words[2])
    info = sealed_text.from_json((source / catalog.INFO).read_bytes())
    config = (source / catalog.CONFIG).read_bytes()
    beginning = source.name.rpartition("-")[0]
    for number in range(count):
        folder = root / f"{beginning}-{number:010x}"
        folder.mkdir(parents=True)
        (folder / catalog.INFO).write_bytes(sealed_text.to_json(altered(info, number)))
        (folder / catalog.CONFIG).write_bytes(config)
        (folder / FILES["flock"]).touch()
    return 0


def altered(info: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the description of run `number`, made from that of another run."""
    settings = {**info["settings"], "seed": number, "optimizer.learning_rate": 1e-3 * (1 + number % 5)}
    status = {0: catalog.RUNNING, 1: catalog.FAILED}.get(number % 100, catalog.FINISHED)
    error = "outputs: No space left on device" if status == catalog.FAILED else None
    return {**info, "id": f"{number:010x}", "settings": settings, "status": status, "error": error}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
