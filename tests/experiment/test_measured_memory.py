"""Memory of whole runs as processes, against the estimate; slow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.experiment.compose import from_words
from ltr.experiment.memory import memory
from ltr.experiment.placement import arithmetic, place
from ltr.experiment.spec import RunSpec

pytestmark = pytest.mark.slow

SHORT = ("rounds=1", "steps=10", "eval_every=5", "replicates=2", "arms=[ticket,random_reinit]", "devices=2")

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
@pytest.mark.parametrize("name", ["mnist_lenet", "cifar10_conv2", "cifar10_resnet20", "cifar10_vgg16"])
def test_the_estimate_is_within_a_quarter_of_the_peak(name: str, tmp_path: Path) -> None:
    words = [f"experiment={name}", *SHORT, "arm.random_reinit.draws=1"]
    words += ["rewind_step=2"] if name.endswith("vgg16") else []
    spec = RunSpec.from_experiment(from_words(words))
    estimated = memory(spec, arithmetic(spec, 0.8 if name.startswith("mnist") else 0.0)).of_host(place(spec))
    found = peak(*words, f"output_root={tmp_path / 'runs'}", f"data_dir={tmp_path / 'data'}")
    assert estimated == pytest.approx(found, rel=0.25)


def test_a_thousand_rounds_grow_the_process_by_less_than_a_twentieth(tmp_path: Path) -> None:
    words = ["rounds=1000", "prune_rate=0.002", "model.width=0.1", "steps=2", "eval_every=2", "batch_size=10"]
    words += ["replicates=1", "arms=[ticket]", "sparse=never", f"output_root={tmp_path}"]
    run = subprocess.run(
        [sys.executable, "-c", ROUNDS, "run", *words], stderr=subprocess.PIPE, text=True, check=True
    )
    early, late = (int(line.split()[1]) for line in run.stderr.splitlines() if line.startswith("resident"))
    assert late < 1.05 * early
