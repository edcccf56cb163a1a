"""Plan of a sweep: its combinations of values, each checked before the first trains."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode

from ltr.addresses import local
from ltr.config import groups
from ltr.config.overrides import typed_word
from ltr.config.schema import Experiment
from ltr.config.words import Word
from ltr.core.plural import number_of
from ltr.errors import ConfigError, DataNotFoundError, LtrError
from ltr.experiment import compose
from ltr.hosts import group
from ltr.report import console
from ltr.store import fetching
from ltr.store.catalog import FINISHED, Run
from ltr.store.identity import run_folder
from ltr.store.settings import settings
from ltr.sweeps import launchers


class Plan(NamedTuple):
    """Combinations of a sweep, which were checked.

    Attributes:
        words: overrides for Hydra, with tickets named in full.
        combinations: overrides of each job, in order; empty if a sweeper chooses while it runs.
        experiments: experiments of the combinations.
        folders: run folders of the combinations, which may not exist yet.
        missing: numbers of the jobs to launch, whose runs are not finished.
        output_root: folder of the run folders.
    """

    words: list[str]
    combinations: list[list[str]]
    experiments: list[Experiment]
    folders: list[Path]
    missing: list[int]
    output_root: Path


def checked(words: Sequence[str], on_count: Callable[[int], None] = lambda _: None) -> Plan:
    """Compose and validate every combination of a sweep, and print the errors of invalid ones.

    Sweepers other than Hydra's basic one choose combinations while they run, so nothing is checked then.

    Args:
        words: the typed words, such as `seed=0,1`, as overrides for Hydra.
        on_count: called with the number of combinations before they are composed.

    Returns:
        The plan. Tickets are named in full, because `last` may be another run later.

    Raises:
        LtrError: a combination cannot be run; nothing was trained.
    """
    if any(word.startswith("hydra/sweeper=") for word in words):
        return Plan(list(words), [], [], [], [], local(Experiment().output_root))
    choices = _choices(words)
    combinations = [list(combination) for combination in itertools.product(*choices.values())]
    on_count(len(combinations))
    experiments: list[Experiment] = []
    errors: list[LtrError] = []
    for combination in combinations:
        try:
            experiments.append(_validated(combination, launchers.is_remote(words)))
        except LtrError as error:
            errors.append(error)
            varied = [typed_word(word) for word in combination if [word] not in choices.values()]
            where = f" (of {' '.join(varied)})" if varied else ""
            console.note(f"ltr run: {error}{where}")
    if errors:
        number = f"{len(errors)} of {number_of(len(combinations), 'combination')}"
        raise _kind(errors[0])(f"{number} cannot be run, see above; nothing was trained")
    tickets = _tickets(combinations, experiments)
    for word, ticket in tickets.items():
        console.note(f"{typed_word(word)}: {experiments[0].output_root}/{ticket}")
    folders = [run_folder(experiment) for experiment in experiments]
    fetching.fetch(*folders)
    missing = [
        number
        for number, (experiment, folder) in enumerate(zip(experiments, folders, strict=True))
        if not is_finished(experiment, folder)
    ]
    combinations = [[_full(word, tickets) for word in combination] for combination in combinations]
    named = [_named(word, choices, tickets) for word in words]
    return Plan(named, combinations, experiments, folders, missing, local(experiments[0].output_root))


def is_finished(experiment: Experiment, folder: Path) -> bool:
    """Return whether a run is finished as requested, so that its command would change nothing.

    The requested amount and claims must be the recorded ones, as others mean another look at the results.
    Trackers may lack finished rounds.
    """
    try:
        run = Run(folder)
        if run.status != FINISHED or experiment.tracker != Experiment().tracker:
            return False
        recorded = run.experiment()
    except (OSError, LtrError):
        return False
    tables = (f"{name}.parquet" for name in ("results", "metrics", "timings"))
    return (
        settings(recorded) == settings(experiment)
        and recorded.claims == experiment.claims
        and "looks" in run.info
        and all((folder / table).is_file() for table in tables)
    )


def _kind(error: LtrError) -> type[LtrError]:
    """Return the class of the same exit code whose constructor takes only a message."""
    return next(kind for kind in (DataNotFoundError, ConfigError, LtrError) if isinstance(error, kind))


def _choices(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the words of each swept knob by its key, the part before `=`; the last word of a knob counts.

    YAML files may also name values, in `hydra.sweeper.params`.
    """
    choices = {}
    compose.register()
    with initialize_config_dir(str(groups.config_dir().absolute()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        try:
            requested = [word for word in words if not Word.split(word).is_for_hydra]
            composed = loader.load_configuration("config", requested, run_mode=RunMode.MULTIRUN)
            from_files = [f"{key}={values}" for key, values in (composed.hydra.sweeper.params or {}).items()]
            for override in OverridesParser.create(config_loader=loader).parse_overrides(
                [*from_files, *requested]
            ):
                key = override.get_key_element()
                swept = override.is_sweep_override()
                if swept and not override.is_discrete_sweep():
                    raise ConfigError(f"{override.input_line}: this sweeper takes lists and ranges only")
                values = [f"{key}={value}" for value in override.sweep_string_iterator()] if swept else []
                choices[key] = values or [str(override.input_line)]
        except HydraException as error:
            raise ConfigError(compose.one_line(error)) from None
    return choices


def _validated(words: Sequence[str], is_elsewhere: bool) -> Experiment:
    """Return the experiment of a job; ConfigError if it cannot be run."""
    from ltr.experiment.placement import place
    from ltr.experiment.spec import RunSpec

    experiment = compose.from_overrides(words)
    group.require_none(experiment.hosts)
    if not is_elsewhere:  # remote devices may differ, and a look at the local ones would occupy them
        place(RunSpec.from_experiment(experiment))
    return experiment


def _tickets(combinations: Sequence[Sequence[str]], experiments: Sequence[Experiment]) -> dict[str, str]:
    """Return the full name of each typed `ticket=...` that is not in full, by word."""
    return {
        word: str(experiment.ticket)
        for combination, experiment in zip(combinations, experiments, strict=True)
        for word in combination
        if word.startswith("ticket=")
        and experiment.ticket is not None
        and typed_word(word) != f"ticket={experiment.ticket}"
    }


def _full(word: str, tickets: dict[str, str]) -> str:
    """Return a word of a combination, with its ticket named in full."""
    return f"ticket={tickets[word]}" if word in tickets else word


def _named(word: str, choices: dict[str, list[str]], tickets: dict[str, str]) -> str:
    """Return a word as it was typed, with tickets named in full."""
    if not word.startswith("ticket="):
        return word
    return "ticket=" + ",".join(tickets.get(choice, choice.partition("=")[2]) for choice in choices["ticket"])
