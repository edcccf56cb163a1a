"""A sweep: every combination is checked before the first trains, and a table of the runs ends it."""

import itertools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ltr.config import groups
from ltr.config.overrides import as_a_person_types
from ltr.config.schema import Experiment
from ltr.errors import ConfigError, DataNotFoundError, LtrError
from ltr.experiment import compose
from ltr.report import console, runs
from ltr.store.catalog import Run
from ltr.store.identity import folder_name


def checked(words: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Compose and validate every combination of a sweep; print and refuse those that cannot be run.

    A sweeper other than Hydra's basic one chooses combinations as it goes: of it nothing is known before.

    Args:
        words: what was typed, as in `seed=0,1`, as overrides for Hydra.

    Returns:
        The words, in which tickets are named in full (`last` may be another one later), and the run
        folders that the combinations have or will have.

    Raises:
        LtrError: a combination cannot be run; nothing was trained.
    """
    if any(word.startswith("hydra/sweeper=") for word in words):
        return list(words), []
    choices = _choices(words)
    combinations = [list(combination) for combination in itertools.product(*choices.values())]
    experiments: list[Experiment] = []
    errors: list[LtrError] = []
    for combination in combinations:
        try:
            experiments.append(_validated(combination, is_remote(words)))
        except LtrError as error:
            errors.append(error)
            varied = [as_a_person_types(word) for word in combination if [word] not in choices.values()]
            where = f" (of {' '.join(varied)})" if varied else ""
            print(f"ltr run: {error}{where}", file=sys.stderr)
    if errors:
        number = f"{len(errors)} of {len(combinations)} combinations"
        raise _kind(errors[0])(f"{number} cannot be run, see above; nothing was trained")
    tickets = _tickets(combinations, experiments)
    for word, ticket in tickets.items():
        print(
            f"{as_a_person_types(word)}: {experiments[0].output_root}/{ticket}", file=sys.stderr, flush=True
        )
    folders = [Path(one.output_root) / folder_name(one) for one in experiments]
    return [_named(word, choices, tickets) for word in words], folders


def is_remote(words: Sequence[str]) -> bool:
    """Whether jobs run in other processes, or on other machines."""
    return any(word.startswith("hydra/launcher=") for word in words)


def conclude(folders: Iterable[Path]) -> bool:
    """Print a table of the runs; returns whether all of them are finished."""
    began = [folder for folder in dict.fromkeys(folders) if (folder / "run.json").exists()]
    entries = [runs.entry(Run(folder)) for folder in began]
    if entries:
        text, left_out = runs.table(entries, runs.LINE)
        console.write(f"\n{text}")
        for remark in runs.remarks(entries, left_out):
            print(remark, file=sys.stderr)
    return all(one["status"] == "finished" for one in entries) and len(began) == len(set(folders))


def _kind(error: LtrError) -> type[LtrError]:
    """The error of the same exit code that takes a message alone."""
    return next(kind for kind in (DataNotFoundError, ConfigError, LtrError) if isinstance(error, kind))


def _choices(words: Sequence[str]) -> dict[str, list[str]]:
    """The words that each knob takes in turn, by what is before their `=`; the last of a knob counts."""
    choices = {}
    with initialize_config_dir(str(groups.config_dir().absolute()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        try:
            for override in OverridesParser.create(config_loader=loader).parse_overrides([*words]):
                if override.is_hydra_override():
                    continue
                key = override.get_key_element()
                swept = override.is_sweep_override()
                if swept and not override.is_discrete_sweep():
                    raise ConfigError(f"{override.input_line}: this sweeper takes lists and ranges only")
                found = [f"{key}={value}" for value in override.sweep_string_iterator()] if swept else []
                choices[key] = found or [str(override.input_line)]
        except HydraException as error:
            raise ConfigError(compose.one_line(error)) from None
    return choices


def _validated(words: Sequence[str], is_elsewhere: bool) -> Experiment:
    """The experiment of a job; ConfigError where it cannot be run here, or wherever jobs run."""
    from ltr.analysis import claims
    from ltr.experiment import session

    experiment = compose.from_overrides(words)
    claims.check(experiment)
    if not is_elsewhere:  # the devices here may not be those there, and asking takes hold of them
        session.placement(session.outline(experiment))
    return experiment


def _tickets(combinations: Sequence[Sequence[str]], experiments: Sequence[Experiment]) -> dict[str, str]:
    """What `ticket=...` stands for in full, where it is not typed so."""
    return {
        word: str(experiment.ticket)
        for combination, experiment in zip(combinations, experiments, strict=True)
        for word in combination
        if word.startswith("ticket=")
        and experiment.ticket is not None
        and as_a_person_types(word) != f"ticket={experiment.ticket}"
    }


def _named(word: str, choices: dict[str, list[str]], tickets: dict[str, str]) -> str:
    """A word as it was typed, but with tickets in full."""
    if not word.startswith("ticket="):
        return word
    return "ticket=" + ",".join(tickets.get(one, one.partition("=")[2]) for one in choices["ticket"])
