"""Looks at a run: each tests the claims and is recorded. `replicates=auto` adds replicates between looks."""

import dataclasses
from collections.abc import Callable, Collection, Iterator

from ltr.analysis import verdicts
from ltr.analysis.verdicts import Verdict
from ltr.config.schema import Claims, Experiment
from ltr.store.catalog import FINISHED
from ltr.store.folder import RunFolder


def keep_first(folder: RunFolder) -> None:
    """Record the look at a run that was finished before ltr recorded looks."""
    if not folder.looks and folder.requested and folder.facts.get("status") == FINISHED:
        folder.keep_looks(verdicts.with_look([], verdicts.look(folder.frames["results"], folder.requested)))


def enlargements(
    experiment: Experiment, folder: RunFolder, write: Callable[[str], None]
) -> Iterator[Experiment]:
    """Yield the experiment to train next.

    With `replicates=auto` it is yielded again with more replicates, until the claims are decided. `write`
    gets a sentence about each look.
    """
    claims = experiment.claims
    if not claims.looks:
        yield experiment
        return
    taken = max((look.replicates for look in folder.looks), default=0)
    later = [look for look in claims.looks if look >= max(experiment.replicates, taken)]
    for replicates in later or [max(experiment.replicates, taken)]:
        yield (enlarged := dataclasses.replace(experiment, replicates=replicates))
        rounds = verdicts.tested_rounds(folder.frames["results"], enlarged)
        tested = verdicts.within(rounds, take(enlarged, folder))
        undecided = verdicts.undecided(tested, claims.decide)
        write(f"\n{_message(tested, undecided, replicates, claims)}")
        if not undecided:
            return


def take(experiment: Experiment, folder: RunFolder) -> dict[str, list[Verdict]]:
    """Take a look at the present results, record it, and return the verdicts of the requested claims."""
    results = folder.frames["results"]
    folder.keep_looks(verdicts.with_look(folder.looks, verdicts.look(results, experiment)))
    return verdicts.requested_verdicts(experiment, verdicts.verdicts(results, folder.looks))


def _message(tested: Collection[str], undecided: list[str], replicates: int, claims: Claims) -> str:
    """Return a sentence about the outcome of a look."""
    if untested := [name for name in claims.decide if name not in tested]:
        return f"tested in no round: {', '.join(untested)}; more rounds would help"
    if undecided:
        return f"{replicates} replicates leave undecided: {', '.join(undecided)} (of {claims.most} at most)"
    return f"{replicates} replicates decide: {', '.join(claims.decide)}"
