"""Run folders in a bucket: their files are fetched to a working copy before they are read.

In a folder of a file system everything is there already, and nothing is done.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ltr.addresses import address_of

LAST = ("metrics.parquet", "timings.parquet", "results.parquet", "looks.json", "run.json")
"""Files that say what is there; they are written to a bucket after everything else, in this order."""


def folders(root: Path) -> list[Path]:
    """Return the folders in an output root; none if it is missing. In a bucket nothing of them is fetched."""
    if address_of(root) is None:
        return [*root.iterdir()] if root.is_dir() else []
    from ltr.buckets.copies import copy_of

    return copy_of(root).folders()


def fetch(*run_folders: Path) -> None:
    """Fetch the files of run folders. Of checkpoints, figures and exports only the folders are made."""
    if remote := _remote(run_folders):
        from ltr.buckets.copies import copy_of, each

        each(lambda folder: copy_of(folder).fetch(lambda name: "/" not in name), remote)


def fetch_first(run_folders: Sequence[Path], *names: str) -> None:
    """Fetch of each run folder the first of these files that it has."""
    if remote := _remote(run_folders):
        from ltr.buckets.copies import copy_of, each

        each(lambda folder: any(map(copy_of(folder).fetch_one, names)), remote)


def fetch_below(run_folder: Path, name: str) -> None:
    """Fetch the files below a folder in a run folder."""
    if _remote([run_folder]):
        from ltr.buckets.copies import copy_of

        copy_of(run_folder).fetch(lambda other: other.startswith(f"{name}/"))


def publish(file: Path) -> None:
    """Write a file of a working copy, such as a report, to its bucket; an older one is overwritten."""
    if _remote([file]):
        from ltr.buckets.copies import copy_of

        copy_of(file.parent).publish(file.name)


@contextlib.contextmanager
def writing(run_folder: Path, left_out: str) -> Iterator[Callable[[], None]]:
    """Let no other process write a run folder, and yield a function that makes changes lasting.

    In a bucket, changes reach it by that function, and at the end. Files of the folder `left_out`, which are
    large, do not stay in the working copy.
    """
    if not _remote([run_folder]):
        yield lambda: None
        return
    from ltr.buckets import copies

    with copies.writing(run_folder, LAST) as push:
        try:
            yield push
        except BaseException:
            with contextlib.suppress(Exception):  # the first error says more
                push()
            raise
        else:
            push()
        finally:
            copies.copy_of(run_folder).forget(lambda name: name.startswith(f"{left_out}/"))


def _remote(paths: Sequence[Path]) -> list[Path]:
    """Return those of the paths that are in a working copy."""
    return [path for path in paths if address_of(path) is not None]
