"""A run keeps the arithmetic that it began with."""

from pathlib import Path

import pytest

from ltr import kernels
from ltr.experiment.runtimes import open_session
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA, Arithmetic
from ltr.store.opening import open_run
from tests.experiment.runs import ask

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")


def test_digits_have_zeros_enough_for_every_layer_and_a_run_keeps_its_choice(tmp_path: Path) -> None:
    experiment = ask(tmp_path, sparse="never")
    spec = RunSpec.from_experiment(experiment)
    with open_run(experiment) as folder:
        assert open_session(spec, folder).runtime.arithmetic.fused == ("dense_1", "dense_2", "output")
        folder.begin(experiment, {}, {}, fused=("output",))
        assert open_session(spec, folder).runtime.arithmetic.fused == ("output",)


def test_a_run_begun_before_keeps_that_of_xla(tmp_path: Path) -> None:
    experiment = ask(tmp_path, sparse="never")
    with open_run(experiment) as folder:
        folder.describe(sessions=[{"winograd": {}}], winograd={})
        assert open_session(RunSpec.from_experiment(experiment), folder).runtime.arithmetic == XLA


@pytest.mark.slow
def test_a_run_begun_without_normalisations_by_the_kernels_keeps_those_of_xla(tmp_path: Path) -> None:
    experiment = ask(tmp_path, sparse="never", model={"name": "resnet20", "width": 0.1})
    spec = RunSpec.from_experiment(experiment)
    with open_run(experiment) as folder:
        chosen = open_session(spec, folder).runtime.arithmetic
        assert chosen.batch_norms == spec.model.batch_norms != ()
        without = chosen._replace(batch_norms=())._asdict()
        folder.begin(experiment, {}, {}, **without)
        assert open_session(spec, folder).runtime.arithmetic == Arithmetic(**without)
