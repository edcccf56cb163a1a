"""Inspection of a run folder: which of its parts are whole, and what is lost of the others."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ltr.store import catalog, fetching, looks, parquet, sealed_text, tables
from ltr.store.damage import MISSING, DamageError, Part, set_aside
from ltr.store.folder import saved_with, searches_of, under_way, under_way_damage
from ltr.store.groups import Groups
from ltr.store.lock import locked


def inspect(folder: Path) -> list[Part]:
    """Return the parts of a run folder; those that were never written are left out.

    Raises:
        LtrError: the folder was written by a later version of ltr.
    """
    fetching.fetch_below(folder, catalog.CHECKPOINTS)
    return [*_files(folder), *_checkpoints(folder)]


def repair(folder: Path) -> list[tuple[Path, Path]]:
    """Set the damaged parts of a run folder aside, and return their old and new paths.

    The next command of the run then makes them again as if they had never been written. Nothing is deleted.
    One of `run.json` and `config.yaml` stays, or nothing would say that the folder is a run's; `ltr run` sets
    it aside.
    """
    with locked(folder), fetching.writing(folder, catalog.CHECKPOINTS):
        damaged = [part.path for part in inspect(folder) if part.error and part.state != MISSING]
        described = [path for path in (folder / catalog.INFO, folder / catalog.CONFIG) if path.exists()]
        if all(path in damaged for path in described):
            damaged.remove(described[-1])
        return [(path, set_aside(path)) for path in damaged]


def _files(folder: Path) -> Iterator[Part]:
    run = catalog.Run(folder)
    files: dict[Path, Callable[[], object]] = {
        folder / catalog.INFO: run.require_readable,
        folder / catalog.CONFIG: lambda: run.config,
        folder / looks.FILE: partial(looks.read, folder),
        **{tables.file_of(folder, name): partial(tables.read, folder, name) for name in tables.SCHEMAS},
    }
    for path, read in files.items():
        try:
            read()
        except DamageError as error:
            yield Part(path, error)
        else:
            if path.exists():
                content = path.read_bytes()
                is_checked = sealed_text.has_checksum(content) or parquet.has_checksum(content)
                yield Part(path, has_checksum=is_checked)


def _checkpoints(folder: Path) -> Iterator[Part]:
    groups = Groups(folder / catalog.CHECKPOINTS)
    for saved in (groups, searches_of(folder)):
        damaged = {error.path: error for error in saved.damaged()}
        yield from (Part(path, damaged.get(path)) for path in saved.paths())
    try:
        wanted = saved_with(tables.read(folder, "results"))
    except DamageError:  # what there was to save is unknown
        wanted = {}
    yield from (Part(error.path, error) for error in groups.missing(wanted))
    if (path := under_way(folder)).exists():
        yield Part(path, under_way_damage(folder))
