"""Discrete-event simulation of a sweep of trainings on a cluster whose jobs are preempted.

python scripts/simulate_cluster.py [--trainings 50000] [--seconds 60] [--help]

A worker (one GPU, or one node of CPUs) starts a process, trains one run after another, and saves a
checkpoint at each interval. A preempted worker loses the work since the last checkpoint, waits in the queue
for another place, starts up, and continues its run. Every file that a run creates, renames or deletes is an
operation of the shared file system, which serves so many a second; what is more waits. Runs differ in length,
as networks of a sweep do.

Speeds that nobody measured are inputs: the table says so of each.
"""

import argparse
import heapq
import math
import random
import sys
from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True)
class Cluster:
    """Inputs of a simulation; times are in seconds.

    Attributes:
        workers: runs that train at a time.
        trainings: runs to train.
        seconds: mean time that a run trains.
        spread: standard deviation of the logarithm of that time; 0: all take the same.
        startup: time from the start of a process to its first step.
        checkpoint_every: trained time between checkpoints.
        saving: time that a save takes, without waiting for the file system.
        mean_between_preemptions: mean time that a worker runs until it is preempted; infinite: never.
        queueing: time that a preempted worker waits for a new place.
        notice: whether a preempted process is told, as by SIGTERM, and saves a checkpoint before it ends.
        operations_per_save: operations of the file system per checkpoint.
        operations_per_run: further ones of a run, all together.
        operations_per_second: what the file system serves.
        runs_per_process: runs that a process trains before it ends; more pay the start-up once.
        seed: of the random numbers.
    """

    workers: int
    trainings: int = 50_000
    seconds: float = 60
    spread: float = 0.5
    startup: float = 6
    checkpoint_every: float = 60
    saving: float = 0.2
    mean_between_preemptions: float = math.inf
    queueing: float = 60
    notice: bool = False
    operations_per_save: float = 3
    operations_per_run: float = 220
    operations_per_second: float = 1000
    runs_per_process: int = 1
    seed: int = 0


class Result(NamedTuple):
    """What a simulation found; times are in seconds.

    Attributes:
        makespan: time until the last run ends.
        ideal: time that the trainings alone would take on workers that are never idle.
        starting: time in start-ups, summed over workers.
        lost: trained time that preemption lost, likewise.
        saving: time in saves, likewise.
        waiting: time that workers waited for the file system, likewise.
        queued: time that preempted workers waited for a place, likewise.
        stragglers: time from the first worker that finds nothing left to do until the last run ends.
        preemptions: number of preemptions.
        operations: operations of the file system.
    """

    makespan: float
    ideal: float
    starting: float
    lost: float
    saving: float
    waiting: float
    queued: float
    stragglers: float
    preemptions: int
    operations: float


class Server:
    """File system that serves operations one after another."""

    def __init__(self, per_second: float) -> None:
        self.per_second, self.free_at, self.served = per_second, 0.0, 0.0

    def wait(self, now: float, operations: float) -> float:
        """Return the time that `operations` asked for at `now` take, waiting included."""
        self.served += operations
        self.free_at = max(now, self.free_at) + operations / self.per_second
        return self.free_at - now


@dataclass
class Worker:
    """Place that trains a run.

    Attributes:
        left: trained time that the present run lacks.
        runs: runs begun by the present process.
        ends: time of its next preemption.
        is_up: whether its process has started.
        operations: of the file system that it asks for next.
        pause: time that it does nothing after them.
    """

    left: float = 0.0
    runs: int = 0
    ends: float = math.inf
    is_up: bool = False
    operations: float = 0.0
    pause: float = 0.0


class Simulation:
    """Events of the workers of a cluster, in order of time: each ends a start-up or an interval."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.random = random.Random(cluster.seed)
        self.disk = Server(cluster.operations_per_second)
        self.lengths = [self._length() for _ in range(cluster.trainings)]
        self.workers = [Worker() for _ in range(min(cluster.workers, cluster.trainings))]
        self.events = [(0.0, number) for number in range(len(self.workers))]
        self.starting = self.lost = self.saving = self.waiting = self.queued = 0.0
        self.preemptions = 0

    def run(self) -> Result:
        """Return what happened until the last run ended."""
        ideal, pending, first_idle, last = (
            sum(self.lengths) / self.cluster.workers,
            self.lengths[::-1],
            0.0,
            0.0,
        )
        while self.events:
            now, number = heapq.heappop(self.events)
            worker = self.workers[number]
            if worker.operations or worker.pause:
                heapq.heappush(self.events, (self._write(worker, now), number))
                continue
            if not worker.left:
                last = max(last, now)
                if not pending:
                    first_idle = first_idle or now
                    continue
                self._begin(worker, pending.pop())
            heapq.heappush(self.events, (self._advance(worker, now), number))
        return Result(
            last, ideal, self.starting, self.lost, self.saving, self.waiting, self.queued,
            last - first_idle, self.preemptions, self.disk.served,
        )  # fmt: skip

    def _begin(self, worker: Worker, length: float) -> None:
        """Give a worker a run, in the process of the one before if that may train another."""
        worker.left = length
        if worker.runs == self.cluster.runs_per_process:
            worker.is_up, worker.runs = False, 0
        worker.runs += 1

    def _advance(self, worker: Worker, now: float) -> float:
        """Start a worker's process or train one interval, and return when that is done."""
        if not worker.is_up:
            return self._start(worker, now)
        trained = min(worker.left, self.cluster.checkpoint_every)
        if now + trained > worker.ends:
            return self._preempt(worker, max(0.0, worker.ends - now), max(now, worker.ends))
        worker.left -= trained
        worker.operations = (
            self.cluster.operations_per_save if worker.left else self.cluster.operations_per_run
        )
        worker.pause = self.cluster.saving
        self.saving += self.cluster.saving
        return now + trained

    def _write(self, worker: Worker, now: float) -> float:
        """Write to the file system, which may wait for others, and return when the worker goes on."""
        waited = self.disk.wait(now, worker.operations) if worker.operations else 0.0
        self.waiting += waited
        end = now + waited + worker.pause
        worker.operations = worker.pause = 0.0
        return end

    def _start(self, worker: Worker, now: float) -> float:
        """Start a process; how long it stays is drawn when it starts."""
        worker.is_up, worker.ends = True, now + self._until_preemption()
        self.starting += self.cluster.startup
        return now + self.cluster.startup

    def _preempt(self, worker: Worker, trained: float, now: float) -> float:
        """End a worker's process, which queues; with notice it saves what it trained."""
        self.preemptions += 1
        worker.is_up, worker.runs = False, 1
        worker.pause = self.cluster.queueing
        if self.cluster.notice:
            worker.left -= trained
            worker.operations = self.cluster.operations_per_save
            worker.pause += self.cluster.saving
            self.saving += self.cluster.saving
        else:
            self.lost += trained
        self.queued += self.cluster.queueing
        return now

    def _length(self) -> float:
        """Draw the length of a run; its mean is `seconds`."""
        spread = self.cluster.spread
        return self.cluster.seconds * math.exp(self.random.gauss(-spread * spread / 2, spread))

    def _until_preemption(self) -> float:
        mean = self.cluster.mean_between_preemptions
        return math.inf if math.isinf(mean) else self.random.expovariate(1 / mean)


def table(cluster: Cluster, kinds: dict[str, int]) -> str:
    """Return a Markdown table: a line for each kind of cluster and change of it."""
    changes = {
        "no preemption": replace(cluster, mean_between_preemptions=math.inf),
        "as given": cluster,
        "told before it ends": replace(cluster, notice=True),
        "checkpoint every 600 s": replace(cluster, checkpoint_every=600),
        "20 runs a process": replace(cluster, runs_per_process=20),
        "13 files a checkpoint": replace(
            cluster, operations_per_save=36, operations_per_run=cluster.operations_per_run + 22 * (36 - 3)
        ),
    }
    columns = ("hours", "efficiency", "start-up", "lost", "queue", "files", "stragglers", "op/s")
    lines = [f"| workers | change | {' | '.join(columns)} |", "|---|---|" + "---:|" * len(columns)]
    for kind, workers in kinds.items():
        for name, change in changes.items():
            lines.append(
                f"| {kind} | {name} | {_cells(Simulation(replace(change, workers=workers)).run(), workers)} |"
            )
    return "\n".join(lines)


def _cells(result: Result, workers: int) -> str:
    """Return the cells of a result: hours, and shares of the time of all workers."""
    total = result.makespan * workers
    times = (result.starting, result.lost, result.queued, result.waiting + result.saving)
    shares = [
        result.ideal / result.makespan,
        *(time / total for time in times),
        result.stragglers / result.makespan,
    ]
    cells = [f"{result.makespan / 3600:.1f}", *(f"{100 * share:.1f} %" for share in shares)]
    return " | ".join([*cells, f"{result.operations / result.makespan:.0f}"])


def main(words: list[str]) -> int:
    """Print the table of 1, 8 and 64 GPUs and 100 nodes of CPUs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trainings", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="mean time of a training")
    parser.add_argument("--startup", type=float, default=Cluster.startup)
    parser.add_argument("--preemption", type=float, default=7200.0, help="mean time until a preemption")
    parser.add_argument("--operations", type=float, default=1000.0, help="a second, of the file system")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    cluster = Cluster(
        workers=1,
        trainings=given.trainings,
        seconds=given.seconds,
        startup=given.startup,
        mean_between_preemptions=given.preemption,
        operations_per_second=given.operations,
        seed=given.seed,
    )
    print(table(cluster, {"1 GPU": 1, "8 GPUs": 8, "64 GPUs": 64, "100 CPU nodes": 100}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
