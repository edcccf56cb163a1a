"""A Slurm cluster of this machine alone, for tests: its daemons, keys and logs are in one folder.

python -m tests.slurm start DIR
python -m tests.slurm stop DIR

It needs root and Debian's packages slurm-wlm and munge. `export SLURM_CONF=DIR/slurm.conf` makes Slurm's
commands use it.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMANDS = ("slurmctld", "slurmd", "munged", "sbatch")

DEADLINE = 30.0
"""Seconds within which the daemons must start, and end."""

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=4096 State=UNKNOWN
PartitionName=local Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Return why this machine cannot be a cluster; empty if it can."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    lacking = [name for name in COMMANDS if shutil.which(name, path=path) is None]
    if lacking:
        return f"no {', '.join(lacking)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "not root"


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Start a cluster in a folder, of which Slurm's commands know in this block, and stop it at the end."""
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(folder.resolve() / "slurm.conf")
    try:
        start(folder)
        yield
    finally:
        stop(folder)
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


def start(folder: Path) -> None:
    """Start the daemons, and wait until the node takes jobs."""
    folder = folder.resolve()
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ports = dict(zip(("controller_port", "node_port"), _free_ports(2), strict=True))
    host, num_cores = socket.gethostname().partition(".")[0], os.cpu_count()
    configuration = CONFIGURATION.format(folder=folder, host=host, cores=num_cores, **ports)
    (folder / "slurm.conf").write_text(configuration)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    for daemon in (_munged(folder), ["/usr/sbin/slurmctld"], ["/usr/sbin/slurmd"]):
        subprocess.run(daemon, env=environment, check=True)
    states = ["sinfo", "--noheader", "--format=%T"]
    end = time.monotonic() + DEADLINE
    while "idle" not in subprocess.run(states, env=environment, capture_output=True, text=True).stdout:
        if time.monotonic() > end:
            raise TimeoutError(f"no node became idle; see {folder}/*.log")
        time.sleep(0.25)


def stop(folder: Path) -> None:
    """Stop the daemons, and wait until they have ended, as they write until then."""
    for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / name).read_text())
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + DEADLINE
            while time.monotonic() < end:
                os.kill(pid, 0)  # raises once it has ended
                time.sleep(0.1)


def _munged(folder: Path) -> list[str]:
    """Return the command of the daemon that authenticates, with a key of its own."""
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={folder / 'munge' / name}" for option, name in files.items()]
    return ["/usr/sbin/munged", "--force", *options]


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]](Path(sys.argv[2]))
