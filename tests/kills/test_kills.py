"""Processes killed at random moments and at every boundary, until the run ends as one that was left alone."""

import itertools
import multiprocessing
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.kept import difference, kept
from tests.kills import victim
from tests.kills.processes import FORKED, FRESH, IMPORTED, Processes
from tests.kills.victim import Fate

KILLS = 100
"""Least number of kills of each kind of run."""

SHARES = 6
"""Number of shares into which the boundaries of a run are divided, one test each."""

SMALL = ("rounds=2", "replicates=2", "steps=300", "eval_every=50", "checkpoint_every=0.01")
SHORT = (*SMALL, "rounds=1", "replicates=1", "steps=8", "arms=[ticket]", "sparse=never")
DENSE = (*SMALL, "arms=[ticket,random_reinit]", "sparse=never")
KINDS = {
    "dense": DENSE,
    "packed": (*SMALL, "arms=[ticket,random_mask]", "sparse=always", "prune_rate=0.7"),
    "convolutional": (
        *(*SMALL, "model=wide_resnet", "model.options.blocks=1", "model.width=0.1"),
        *("dataset.augmentation=crop_flip", "steps=8", "eval_every=4", "rounds=1", "arms=[ticket]"),
    ),
    "rewound": (*SMALL, "rewind_step=50", "arms=[ticket]"),
    "transfer": (*SMALL, "ticket=last", "seed=5", "arms=[ticket,random_mask]", "sparse=never"),
    "sweep": (*SMALL, "-m", "seed=1,2", "rounds=1", "arms=[ticket]", "sparse=never"),
}


class Roots:
    """Output roots in which one command is given, again and again.

    Args:
        folder: folder of the roots.
        words: words of the command.
        before: words of a command that every root has been given before; none by default.
    """

    def __init__(self, folder: Path, words: Sequence[str], before: Sequence[str] = ()) -> None:
        self._folder, self._words, self._template = folder, words, folder / "template"
        self._template.mkdir()
        if before:
            Processes(self._template, before).end()

    def new(self, name: str, kind: str = FORKED) -> Processes:
        """Processes of the command below a new root of this name."""
        return Processes(shutil.copytree(self._template, self._folder / name), self._words, kind)

    def alone(self, name: str = "alone", kind: str = FORKED) -> tuple[dict[str, bytes], float]:
        """Give the command once; return what it made and how many seconds it took."""
        processes = self.new(name, kind)
        seconds = processes.end()
        return kept(processes.root), seconds


@pytest.fixture(scope="module", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes compile as quickly as they can, and share what they compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        multiprocessing.set_forkserver_preload([*IMPORTED])
        yield


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_kills_changes_nothing(kind: str, tmp_path: Path) -> None:
    roots = Roots(tmp_path, KINDS[kind], KINDS["dense"] if kind == "transfer" else ())
    expected, _ = roots.alone()
    _, seconds = roots.alone("compiled before")
    generator, kills = random.Random(kind), 0
    for storm in itertools.count(1):
        stormy = roots.new(f"storm {storm}")
        kills += stormy.storm(generator, seconds)
        assert difference(kept(stormy.root), expected) == []
        print(
            f"{kind}: {kills} kills in {storm} storms, each ended as the run that was left alone", flush=True
        )
        if kills >= KILLS:
            return


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_process_ends_as_a_forked_one(kind: str, tmp_path: Path) -> None:
    """Also after kills; so a forked process can stand for a fresh one."""
    roots = Roots(tmp_path, KINDS[kind], KINDS["dense"] if kind == "transfer" else ())
    expected, seconds = roots.alone()
    assert difference(roots.alone("fresh", FRESH)[0], expected) == []
    stormy = roots.new("storm", FRESH)
    kills = stormy.storm(random.Random(kind), seconds)
    assert difference(kept(stormy.root), expected) == []
    print(f"{kind}: {kills} kills of fresh processes, ended as forked ones")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("first", range(1, SHARES + 1))
def test_a_kill_at_every_boundary_changes_nothing(first: int, when: str, tmp_path: Path) -> None:
    """Each of a share of them in a folder of its own, until a process passes fewer."""
    roots = Roots(tmp_path, SHORT)
    expected, _ = roots.alone()
    for number in itertools.count(first, SHARES):
        killed = roots.new(f"boundary {number}")
        if killed.has_ended(killed.start(Fate(number, when))):
            print(f"a kill {when} each of the boundaries {[*range(first, number, SHARES)]}")
            assert number > len(victim.BOUNDARIES)
            return
        killed.end()
        assert difference(kept(killed.root), expected) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("forgets", [False, True])
def test_a_data_order_that_is_forgotten_is_noticed(forgets: bool, tmp_path: Path) -> None:
    """If not, the tests above prove nothing."""
    roots = Roots(tmp_path, DENSE)
    expected, _ = roots.alone()
    killed = roots.new("killed")
    for number in itertools.count(1):
        assert not killed.has_ended(killed.start(Fate(number, "after")))
        if [*killed.root.glob("*/checkpoints/under_way.zip")]:
            break
    killed.end(Fate(forgets=forgets))
    assert bool(difference(kept(killed.root), expected)) == forgets
