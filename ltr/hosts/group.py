"""Groups of processes that train one run: given by knobs, or found where Slurm or Open MPI started them."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ltr.config.schema import Hosts
from ltr.errors import ConfigError

_SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
_OPEN_MPI = ("OMPI_MCA_orte_hnp_uri", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK")

_PORTS = range(61440, 65536)
"""Ports of which a job takes the one that its number gives."""


@dataclass(frozen=True)
class Group:
    """Processes of a run, as one of them sees them.

    Attributes:
        host, port: address at which process 0 listens.
        count: number of processes.
        index: number of this process, from 0.
    """

    host: str
    port: int
    count: int
    index: int


def find(hosts: Hosts, environment: Mapping[str, str]) -> Group | None:
    """Return the group of this process; None if it trains alone.

    Args:
        hosts: knobs; they come before the environment.
        environment: variables of this process.

    Raises:
        ConfigError: a knob is missing or wrong.
    """
    group = _by_knobs(hosts) if hosts != Hosts() else _of_slurm(environment) or _of_open_mpi(environment)
    return group if group and group.count > 1 else None


def require_none(hosts: Hosts) -> None:
    """Raise ConfigError for knobs of several processes, for a command that trains in this one alone."""
    given = {name: value for name, value in asdict(hosts).items() if value is not None}
    if given and hosts.count != 1:
        name, value = next(iter(given.items()))
        raise ConfigError(
            f"hosts.{name}={value}: several processes train a run by ltr run, without -m; leave it out"
        )


def _by_knobs(hosts: Hosts) -> Group:
    for name in ("count", "index", "coordinator"):
        if getattr(hosts, name) is None and hosts.count != 1:
            raise ConfigError(
                f"hosts.{name}: missing; each process of a run needs hosts.coordinator=HOST:PORT and "
                "hosts.count as all others, and another hosts.index, from 0"
            )
    count, index = hosts.count or 1, hosts.index or 0
    if index >= count:
        raise ConfigError(f"hosts.index={index}: must be less than hosts.count={count}")
    host, _, port = (hosts.coordinator or "localhost:1").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"hosts.coordinator={hosts.coordinator}: must be HOST:PORT, as in node1:61234")
    return Group(host.strip("[]"), int(port), count, index)


def _of_slurm(environment: Mapping[str, str]) -> Group | None:
    """Return the tasks of a job step (`srun`); the batch script itself is none."""
    if not all(environment.get(name) for name in _SLURM):
        return None
    job, nodes, count, index = (environment[name] for name in _SLURM)
    return Group(first_node(nodes), _port(int(job)), int(count), int(index))


def _of_open_mpi(environment: Mapping[str, str]) -> Group | None:
    """Return the processes that `mpirun` started."""
    if not all(environment.get(name) for name in _OPEN_MPI):
        return None
    uri, count, index = (environment[name] for name in _OPEN_MPI)
    address = re.search(r"tcp://([^,:]+)|tcp6://\[([^],]+)", uri)
    if address is None:
        raise ConfigError(f"{_OPEN_MPI[0]}={uri}: names no host; give hosts.coordinator, count and index")
    job = int(uri.partition(".")[0]) // 2**12  # always a multiple of it
    return Group(next(filter(None, address.groups())), _port(job), int(count), int(index))


def _port(job: int) -> int:
    return _PORTS[job % len(_PORTS)]


def first_node(nodes: str) -> str:
    """Return the first host of a Slurm list of nodes, such as `node[007-012,020],other3`."""
    prefix, numbers = re.match(r"([^\[,]*)(?:\[([^\],-]*))?", nodes).groups()  # type: ignore[union-attr]
    return f"{prefix}{numbers or ''}"
