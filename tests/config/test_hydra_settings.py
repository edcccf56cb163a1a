"""Settings of Hydra: those that run code are refused, in words and in files."""

import pytest

from ltr.config.overrides import overrides
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from tests.config.conftest import Write

HEAD = "# @package _global_\nrounds: 7\n"
CALLBACK = "{_target_: made_up.Callback}"


@pytest.mark.parametrize(
    "word",
    [
        *("hydra.verbose=true", "hydra.searchpath=[file://elsewhere]", "hydra/job_logging=default"),
        *(f"+hydra.callbacks.mine={CALLBACK}", "++hydra.callbacks.mine._target_=made_up.Callback"),
        *(f"hydra.launcher={CALLBACK}", "hydra.launcher._target_=made_up.Launcher", "~hydra.callbacks"),
        *("hydra.sweeper._target_=made_up.Sweeper", "+hydra.job.env_set.MADE_UP=yes", "hydra=mine"),
        *("hydra/launcher@hydra.callbacks.mine=basic", "+hydra/sweeper@arm=basic"),
    ],
)
def test_a_word_sets_launcher_sweeper_and_folders_alone(word: str) -> None:
    with pytest.raises(ConfigError, match=r"of Hydra's settings, hydra/launcher, .* can be set$"):
        overrides([word])


def test_a_value_names_no_code() -> None:
    with pytest.raises(ConfigError, match=r"^\+hydra\.launcher\.x=.*: must not hold _target_, "):
        overrides([f"+hydra.launcher.x=[{CALLBACK}]"])


CREATED = "${oc.create:" + CALLBACK + "}"
"""Text that OmegaConf resolves to the mapping."""


@pytest.mark.parametrize("value", [f"'{CREATED}'", f"['{CREATED}']", f"{{y:'{CREATED}'}}", "${data_dir}"])
def test_a_value_stands_for_no_code(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^\+hydra\.launcher\.x=.*: must be no reference for a launcher"):
        overrides([f"+hydra.launcher.x={value}"])


def test_text_of_a_launcher_and_folders_may_hold_references() -> None:
    words = ["+hydra.launcher.folder=${hydra.sweep.dir}/logs", "hydra.sweep.dir=${data_dir}"]
    overrides(words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"hydra:\n  callbacks:\n    mine: {CALLBACK}\n", "5: hydra.callbacks.mine._target_: of Hydra's"),
        ("hydra:\n  launcher:\n    _target_: ${model.name}\n", "5: hydra.launcher._target_: of Hydra's"),
        (f"hydra:\n  launcher:\n    x: [{CALLBACK}]\n", "3: hydra: must not hold _target_"),
        (f"hydra:\n  launcher:\n    x: '{CREATED}'\n", "4: hydra.launcher: must be no reference for a"),
        ("defaults:\n  - override /hydra/callbacks: mine\n", "4: hydra/callbacks/mine: of Hydra's settings"),
        ("defaults:\n  - /hydra/callbacks/mine\n", "4: hydra/callbacks/mine: of Hydra's settings"),
    ],
)
def test_an_experiment_does_no_more(text: str, message: str, write: Write) -> None:
    path = write("experiment/mine", HEAD + text)
    with pytest.raises(ConfigError) as caught:
        from_words(["experiment=mine"])
    assert str(caught.value).startswith(f"{path}:{message}")
