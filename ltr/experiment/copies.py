"""Run folders of processes that train one run: the run itself in process 0, a copy of it in each other.

Every process reads and writes a folder of its own, so none waits for the file system of another host. Copies
are equal to the run in all that decides a training, and are removed at the end.
"""

import contextlib
import dataclasses
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ltr.addresses import local
from ltr.config.schema import Experiment
from ltr.engine import processes
from ltr.hosts.member import Member
from ltr.store.folder import RunFolder
from ltr.store.identity import folder_name
from ltr.store.opening import open_run

_LEFT_OUT = {".lock", ".lock.soft", "export", "figures", "log.txt", "report.html"}
"""Names in a run folder that no training reads."""


@contextlib.contextmanager
def open_everywhere(experiment: Experiment, member: Member | None) -> Iterator[tuple[Experiment, RunFolder]]:
    """Open the folder of a run, or this process's copy of it, for as long as it trains.

    Args:
        experiment: the configuration.
        member: this process among those of the run; None if it is alone.

    Yields:
        The configuration, with the output root of the folder and without a tracker in a copy; the folder.

    Raises:
        ConfigError, LtrError: see `ltr.store.opening.open_run`.
    """
    if member is not None and member.index:
        experiment = _copied(experiment, Path(member.folder))
    with open_run(experiment) as folder:
        if member is not None and not member.index:
            processes.shared(_packed(folder.path))
        yield experiment, folder


def _copied(experiment: Experiment, root: Path) -> Experiment:
    """Receive the run in another folder, and return its configuration there."""
    with tarfile.open(fileobj=io.BytesIO(processes.shared(b""))) as archive:
        archive.extractall(root / folder_name(experiment), filter="data")
    if experiment.ticket:
        source = experiment.ticket.partition("@")[0]
        (root / source).symlink_to((local(experiment.output_root) / source).absolute())
    return dataclasses.replace(experiment, output_root=str(root), tracker="none")


def _packed(folder: Path) -> bytes:
    """Return an archive of what a training reads."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path in sorted(folder.iterdir()):
            if path.name not in _LEFT_OUT:
                archive.add(path, path.name)
    return content.getvalue()
