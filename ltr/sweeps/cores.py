"""Share of the processor cores for each of the processes that run jobs side by side on one machine.

Each core that a process may use is a device of its runs (see `ltr.engine.devices.start`). Without shares,
every process would train on all cores.
"""

import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout

_held: list[FileLock] = []
"""Lock of the share of this process, which the system releases when the process ends."""


def take_share(num_cores: int, folder: Path) -> None:
    """Keep this process to `num_cores` cores that no other process of the sweep has.

    A process keeps its share for all its jobs. It may use all cores if none is free, or where the system
    cannot keep it to some. It does nothing if `num_cores` is 0.

    `folder`: folder of the sweep, which holds a lock for each share.
    """
    if not num_cores or _held or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    for share in range(len(cores) // num_cores):
        lock = FileLock(folder / f".cores-{socket.gethostname()}-{share}", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        except (OSError, NotImplementedError):  # a file system without locks
            return
        _held.append(lock)
        os.sched_setaffinity(0, cores[share * num_cores : (share + 1) * num_cores])
        return
