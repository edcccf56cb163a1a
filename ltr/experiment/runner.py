"""Runner of one experiment: from its configuration to a finished folder, with progress and signals."""

import contextlib
import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from ltr.addresses import is_address
from ltr.analysis import checks as claim_checks
from ltr.analysis.search_race import Searched, race_of
from ltr.analysis.summary import replicate_seconds, select, summary
from ltr.arms.lanes import missing_of_rounds
from ltr.config import origins
from ltr.config.origins import Request
from ltr.config.schema import Experiment
from ltr.core import cache_paths, root_logger
from ltr.core.plural import number_of
from ltr.data import custom
from ltr.engine import devices, processes
from ltr.errors import LtrError, StoppedError
from ltr.experiment import joint, looks, loop, warnings
from ltr.experiment.copies import open_everywhere
from ltr.experiment.joint import Outcomes, Training, Trainings
from ltr.experiment.observer import RoundTable, RunObserver
from ltr.experiment.placement import place
from ltr.experiment.runtimes import Runtimes
from ltr.experiment.session import Session
from ltr.experiment.signals import Stop
from ltr.experiment.spec import RunSpec
from ltr.experiment.titles import title
from ltr.faults import is_known, message
from ltr.hosts.member import Member
from ltr.report import race_figure
from ltr.report.figures import draw
from ltr.report.findings import Verdicts
from ltr.report.outcome import conclusion
from ltr.report.output import Output, command_line, nowhere
from ltr.report.progress import Pace
from ltr.store import dense_rounds
from ltr.store.catalog import FAILED, FINISHED, STOPPED
from ltr.store.folder import RunFolder, under_way
from ltr.store.settings import covers, extent
from ltr.store.tables import LaneId
from ltr.trackers import tracking
from ltr.trackers.registry import TRACKERS
from ltr.trackers.scalars import scalars
from ltr.trackers.tracker import subject
from ltr.trackers.tracking import Tracked

log = logging.getLogger("ltr")


def conduct(
    experiment: Experiment,
    words: Sequence[str],
    stop: Stop,
    output: Output | None = None,
    member: Member | None = None,
) -> None:
    """Train the missing lanes of a run and print its results. A complete run's folder is not changed.

    Args:
        experiment: the configuration.
        words: words of the command after `ltr run`; recorded as the command to repeat.
        stop: checked after each chunk for a signal; the caller enters it.
        output: destination of results, messages and progress; None for the command line.
        member: this process, if several train the run.

    Raises:
        ConfigError: the configuration is wrong.
        DataNotFoundError: the data set is missing.
        StoppedError: a signal stopped the run; a checkpoint was written.
        LtrError: the run failed.
        OSError: a file cannot be written, as on a full disk.
    """
    output = output or (nowhere() if member and member.index else command_line())
    devices.start(cache_paths.compiled())
    if member:
        processes.join(member)
    with logged_by(output.warnings()):
        (error,) = joint.conduct([trainings(experiment, words, stop, output, Runtimes(), member)])
    if error is not None:
        raise error


def trainings(
    experiment: Experiment,
    words: Sequence[str],
    stop: Stop,
    output: Output,
    runtimes: Runtimes,
    member: Member | None = None,
) -> Trainings:
    """Open a run, yield its missing trainings, and print its results; arguments and errors as of `conduct`.

    `runtimes`: runtimes of the runs that train side by side.
    """
    request = origins.request(experiment, words)
    claim_checks.check(experiment)
    tracking.require(experiment.tracker)
    for line in custom.status_lines(experiment.dataset):
        output.message(line)
    with open_everywhere(experiment, member) as (experiment, folder), _traced():
        folder.require_same(experiment)
        looks.keep_first(folder)
        trained = False
        for enlarged in looks.enlargements(experiment, folder, output.message):
            trained |= yield from _complete(enlarged, folder, stop, request, output, runtimes)
        if not trained and TRACKERS[experiment.tracker].code:
            output.message(f"ltr: {tracking.idle(experiment.tracker)}")
        verdicts = looks.take(enlarged, folder)
        if output.results is not None:
            output.results(_conclusion(enlarged, folder, request.words, verdicts))


def _conclusion(experiment: Experiment, folder: RunFolder, words: Sequence[str], verdicts: Verdicts) -> str:
    """Return the conclusion of a run: the results and a suggestion of what to do next."""
    results = select(folder.frames["results"], experiment)
    timings = select(folder.frames["timings"], experiment)
    devices_used = max(1, folder.facts.get("sessions", [{}])[-1].get("devices", {}).get("count", 1))
    seconds = replicate_seconds(timings) / devices_used
    return conclusion(folder.path, results, experiment, verdicts, folder.looks, words, seconds, timings)


def _complete(
    experiment: Experiment,
    folder: RunFolder,
    stop: Stop,
    request: Request,
    output: Output,
    runtimes: Runtimes,
) -> Generator[Training, Outcomes, bool]:
    """Yield the missing trainings of a run; return whether a session was begun."""
    spec = RunSpec.from_experiment(experiment)
    place(spec)  # refuses missing devices, also for a finished run
    missing_lanes = _missing_lanes(experiment, folder)
    unfinished = missing_lanes or folder.undrawn(experiment) or folder.is_ended_by(experiment)
    session = runtimes.session(spec, folder, output.status, output.message) if unfinished else None
    output.begin(f"run {folder.path}: {_amount(spec, folder, missing_lanes)}")
    table = RoundTable(experiment, folder, output.results)
    table.catch_up()
    if session is not None:
        warnings.warn(spec, folder, request.plugins)
        log.info("%s", _amount(spec, folder, missing_lanes))
        with _recorded(session, experiment, request), _sharing_dense_round(session, output):
            yield from _train(session, stop, table, output)
            _draw(folder, experiment)
    return session is not None


@contextlib.contextmanager
def _sharing_dense_round(session: Session, output: Output) -> Iterator[None]:
    """Take the dense trainings that alike runs of the output root have, and then offer one's own."""
    experiment, folder = session.experiment, session.folder
    placed = devices.describe(session.runtime.trainer.placement)
    key = dense_rounds.key(experiment, _computed_by(session, placed))
    is_apart = is_address(experiment.output_root) or placed["processes"] != 1
    if key is None or not experiment.share_dense or is_apart:
        yield
        return
    if not under_way(folder.path).exists():
        for name, replicates in dense_rounds.adopt(folder, folder.undrawn(experiment), key).items():
            networks = "networks" if replicates[1:] else "network"
            output.message(f"ltr: {len(replicates)} dense {networks} taken from {name}")
    yield
    dense_rounds.offer(folder, key)


def _computed_by(session: Session, placed: Mapping[str, Any]) -> dict[str, Any]:
    """Return all but the knobs that the dense trainings of a session depend on, to the last bit."""
    batching = placed if placed["platform"] != "cpu" or placed["parallel"] == "batch" else {}
    last = session.folder.facts["sessions"][-1]
    recorded = {name: last[name] for name in ("commit", "processor", "versions", "plugins")}
    return recorded | {"batching": batching, "arithmetic": session.runtime.arithmetic._asdict()}


def _draw(folder: RunFolder, experiment: Experiment) -> None:
    """Draw the figures of everything requested, by this experiment or before."""
    recorded = folder.recorded(experiment)
    results, timings = (select(folder.frames[name], recorded) for name in ("results", "timings"))
    draw(results, title(experiment), folder.path / "figures")
    race = race_of(Searched(recorded, results, timings))
    race_figure.draw(race, title(experiment), folder.path / "figures")


def _train(session: Session, stop: Stop, table: RoundTable, output: Output) -> Trainings:
    experiment, folder = session.experiment, session.folder
    pace = Pace(session.remaining_steps(), time.monotonic)
    with (
        tracking.track(experiment.tracker, subject(experiment, folder.path)) as tracked,
        output.progress() as shown,
        processes.ending_with_others(),
    ):
        rounds = range(experiment.rounds + 1)
        for round_number, missing_lanes in missing_of_rounds(
            experiment, rounds, folder.frames["results"]
        ).items():
            if not missing_lanes:
                _track(experiment, folder, tracked, round_number)
        track = partial(_track, experiment, folder, tracked)
        observer = RunObserver(stop, table, pace, shown, track, session.remaining_steps)
        yield from loop.rounds(session, observer)


def _track(experiment: Experiment, folder: RunFolder, tracked: Tracked, round_number: int) -> None:
    """Send a round to the tracker, if there is one, averaged over the requested replicates and draws."""
    if not TRACKERS[experiment.tracker].code:
        return
    metrics, results = (select(folder.frames[name], experiment) for name in ("metrics", "results"))
    tracked.add(round_number, scalars(metrics, results, round_number))


def _recorded_results(folder: RunFolder, experiment: Experiment) -> pd.DataFrame:
    """Return the results of everything requested, by this experiment or before."""
    return select(folder.frames["results"], folder.recorded(experiment))


def _missing_lanes(experiment: Experiment, folder: RunFolder) -> list[LaneId]:
    by_round = missing_of_rounds(experiment, range(experiment.rounds + 1), folder.frames["results"])
    return [lane for missing_lanes in by_round.values() for lane in missing_lanes]


def _amount(spec: RunSpec, folder: RunFolder, missing_lanes: list[LaneId]) -> str:
    """Describe how many trainings are left."""
    if not missing_lanes:
        everything = extent(folder.recorded(spec.experiment))
        more = "" if covers(spec.experiment, everything) else "; ltr show has more than this command requests"
        return f"finished before, nothing to train{more}"
    trainings = number_of(len(missing_lanes), "training")
    amount = f"{trainings} of {number_of(spec.schedule.steps, 'step')}"
    return f"{amount} to go, {len(folder.finished)} done before" if folder.finished else amount


@contextlib.contextmanager
def _recorded(session: Session, experiment: Experiment, request: Request) -> Iterator[None]:
    """Begin a session in run.json, and record its end and status, also after an error.

    `experiment`: as it was requested; that of the session may have fewer devices.
    """
    folder, trainer = session.folder, session.runtime.trainer
    placed = devices.describe(trainer.placement)
    folder.begin(experiment, placed, trainer.packed, request, *session.runtime.arithmetic)

    def end(status: str, error: str | None = None) -> None:
        results = summary(_recorded_results(folder, experiment), folder.recorded(experiment))
        folder.describe(status=status, error=error, summary=results, device_seconds=folder.seconds)

    try:
        yield
    except (StoppedError, KeyboardInterrupt, SystemExit) as error:
        log.info("%s", error if isinstance(error, StoppedError) else "stopped at once")
        with contextlib.suppress(OSError, LtrError):
            end(STOPPED)
        raise
    except Exception as error:
        if is_known(error):
            log.info("failed: %s", message(error))
        with contextlib.suppress(OSError, LtrError):  # the first error says more
            end(FAILED, message(error))
        raise
    end(FINISHED)


@contextlib.contextmanager
def _traced() -> Iterator[None]:
    """Log the traceback of an error that ltr does not expect, as of a plug-in's code."""
    try:
        yield
    except Exception as error:
        if not is_known(error):
            log.info("failed: %s: %s", type(error).__name__, error, exc_info=True)
        raise


@contextlib.contextmanager
def logged_by(handler: logging.Handler) -> Iterator[None]:
    """Show log messages by a handler of ltr's instead of the root logger's handlers."""
    level, propagate = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False
    try:
        with root_logger.left_alone():
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
