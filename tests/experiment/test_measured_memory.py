"""Memory of whole runs as processes, against the estimate; slow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ltr.experiment.compose import from_words
from ltr.experiment.memory import memory
from ltr.experiment.placement import arithmetic, place
from ltr.experiment.spec import RunSpec

pytestmark = pytest.mark.slow

SHORT = (
    "rounds=1",
    "steps=10",
    "eval_every=5",
    "replicates=2",
    "arms=[ticket,random_reinit]",
    "arm.random_reinit.draws=1",
    "devices=2",
)

ROUNDS = """
import sys
from pathlib import Path
from ltr.cli import main
from ltr.experiment.session import Session

commit = Session.commit

def committed(session, number, *rest):
    commit(session, number, *rest)
    if number in (50, 1000):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        print("resident", pages, file=sys.stderr)

Session.commit = committed
sys.exit(main())
"""


def peak(*words: str) -> int:
    """Return the largest resident memory of a run as a process, in bytes."""
    code = "import sys; from ltr.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, "run", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return 1024 * usage.ru_maxrss


@pytest.mark.skipif("LTR_DATA_SOURCE" not in os.environ, reason="needs the original files")
@pytest.mark.parametrize("name", ["mnist_lenet", "cifar10_conv2", "cifar10_resnet20"])
def test_the_estimate_is_within_a_quarter_of_the_peak(name: str, tmp_path: Path) -> None:
    zeros = 0.8 if name.startswith("mnist") else 0.0
    compare(f"experiment={name}", *SHORT, f"data_dir={tmp_path / 'data'}", root=tmp_path, zeros=zeros)


def test_that_of_vgg_16_is_too(tmp_path: Path) -> None:
    """As many images to train as CIFAR-10 has, but few to evaluate, which would take ten minutes."""
    generator = np.random.default_rng(0)
    arrays = {
        f"{split}_{name}": generator.integers(0, 256 if shape else 10, (count, *shape), np.uint8)
        for split, count in (("train", 50_000), ("test", 128))
        for name, shape in (("images", (32, 32, 3)), ("labels", ()))
    }
    np.savez(tmp_path / "data.npz", **arrays)
    own = ("dataset=custom", f"dataset.path={tmp_path / 'data.npz'}", "dataset.validation=128")
    compare("experiment=cifar10_vgg16", *SHORT, "rewind_step=1", "steps=2", *own, root=tmp_path)


def compare(*words: str, root: Path, zeros: float = 0.0) -> None:
    """Compare the estimate for a run with the peak of the run; `zeros` as of `arithmetic`."""
    spec = RunSpec.from_experiment(from_words([*words]))
    estimated = memory(spec, arithmetic(spec, zeros)).of_host(place(spec))
    found = peak(*words, f"output_root={root / 'runs'}")
    print(f"{words[0]}: {estimated / 2**20:.0f} MiB estimated, {found / 2**20:.0f} measured")
    assert estimated == pytest.approx(found, rel=0.25)


def test_a_thousand_rounds_grow_the_process_by_less_than_a_twentieth(tmp_path: Path) -> None:
    words = ["rounds=1000", "prune_rate=0.002", "model.width=0.1", "steps=2", "eval_every=2", "batch_size=10"]
    words += ["replicates=1", "arms=[ticket]", "sparse=never", f"output_root={tmp_path}"]
    run = subprocess.run(
        [sys.executable, "-c", ROUNDS, "run", *words], stderr=subprocess.PIPE, text=True, check=True
    )
    early, late = pages = tuple(
        int(line.split()[1]) for line in run.stderr.splitlines() if line.startswith("resident")
    )
    print("MiB after rounds 50 and 1000:", [count * os.sysconf("SC_PAGE_SIZE") // 2**20 for count in pages])
    assert late < 1.05 * early
