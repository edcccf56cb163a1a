"""YAML files of one's own: what is wrong with each is said with file and line, and stops no other command."""

import re

import pytest

from ltr.arms import checks as arms
from ltr.cli import main
from ltr.config import groups
from ltr.config.files import base_choices, check, problem
from ltr.config.overrides import overrides
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from tests.config.conftest import Write

HEAD = "# @package _global_\n# Mine.\n"


GLOBAL = "'# @package _global_'"
BROKEN_EXPERIMENTS = {
    # not YAML, or not knobs
    "": ": empty; must hold knobs, as in 'rounds: 20', or a comment",
    "\n \n": ": empty; must hold knobs",
    HEAD + "- rounds: 2\n": ":3: must hold 'knob: value', not a list",
    HEAD + "rounds\n": ":3: must hold 'knob: value', not a word",
    HEAD + "optimizer:\n\tname: sgd\n": ":4: not YAML: indented with a tab; YAML allows only spaces",
    HEAD + "optimizer:\n  name: sgd\n momentum: 0\n": ":5: not YAML: indented unlike the lines above",
    HEAD + "rounds: 2\n  seed: 1\n": ":4: not YAML: a second ': ', or indented more than the line above it",
    HEAD + "rounds: 2\nseed\nsteps: 3\n": ":4: not YAML: has no ': ' between a knob and its value",
    HEAD + "arms: [ticket\nseed: 1\n": ":4: not YAML: ",
    HEAD + "rounds: 'a\n": ":4: not YAML: found unexpected end of stream",
    HEAD + "rounds: *x\n": ":3: not YAML: found undefined alias 'x'",
    HEAD + "rounds: 1\n---\nrounds: 2\n": ":4: not YAML: but found another document",
    HEAD + "rounds: 1\x07\n": ": unacceptable character #x0007",
    HEAD + "arm: &a\n  x: *a\n": ": an anchor (&) holds itself (*)",
    HEAD + "rounds: 1\nseed: 2\nrounds: 3\n": ":5: rounds: repeated; first in line 3",
    HEAD + "optimizer:\n  name: sgd\n  name: adam\n": ":5: name: repeated; first in line 4",
    HEAD + "[a, b]: 1\n": ":3: a list cannot be the name of a knob",
    HEAD + "optimizer.name: sgd\n": ":3: optimizer.name: write 'optimizer:', and 'name:' indented in the",
    # the package
    "# Mine.\nrounds: 1\n": f":1: the first line must be {GLOBAL}, as an experiment sets knobs of all gr",
    "rounds: 1\n": f":1: the first line must be {GLOBAL}",
    "# Mine.\n# @package _global_\nrounds: 1\n": f":2: {GLOBAL} must be the first line of the file",
    "rounds: 1\n# @package _global_\n": f":2: {GLOBAL} must be the first line of the file",
    "# @package _globl_\nrounds: 1\n": f":1: # @package _globl_: must be {GLOBAL}",
    "# @package _global_ # mine\nrounds: 1\n": f":1: # @package _global_ # mine: must be {GLOBAL}",
    "# @package\nrounds: 1\n": f":1: # @package: must be {GLOBAL}",
    # knobs
    HEAD + "rounds: 1\nprune_rat: 0.1\n": ":4: prune_rat: unknown knob; did you mean prune_rate?",
    HEAD + "optimizer:\n  name: sgd\n  lr: 1\n": ":5: optimizer.lr: unknown knob; did you mean "
    "optimizer.learning_rate?",
    HEAD + "rounds: 1\nseed: x\n": ":4: seed=x: must be a whole number >= 0 and < 4294967296",
    HEAD
    + "steps: 1e3\n": ":3: steps=1000.0: must be steps or epochs, as in 50000 or 20ep; did you mean steps=",
    HEAD + "\n\nsteps: 0\n": ":5: steps=0: must be at least one step",
    HEAD + "optimizer: sgd\n": ":3: optimizer: sgd: a choice is made under 'defaults:', by '- ove",
    HEAD + "optimizer:\n": ":3: optimizer=null: holds knobs, such as optimizer.name",
    HEAD + "arms: [ticket, one_shoot]\n": ":3: arms: unknown arm one_shoot; did you mean one_shot?",
    HEAD + "arms: one_shoot\n": ":3: arms: unknown arm one_shoot; did you mean one_shot?",
    HEAD + "claims:\n  decide: weight\n": ":4: claims.decide=weight: unknown claim; did you mean weights?",
    HEAD + "rounds: true\n": ":3: rounds=true: must be a whole number >= 0",
    HEAD + "seed: 1\narms:\n  - one_shot\n": ":4: arms=[one_shot]: must contain ticket",
    HEAD
    + "arm:\n  one_shot:\n    drawz: 1\n": ":5: arm.one_shot.drawz: unknown knob; did you mean arm.NAME.",
    HEAD + "1: 2\n": ":3: 1: unknown knob",
    # defaults
    HEAD + "defaults: mnist_lenet\n": ":3: defaults: must be a list, with '- ' before each",
    HEAD + "defaults:\n  - override /dataset: mnits\n": ":4: dataset=mnits: unknown choice; did you mean mni",
    HEAD + "defaults:\n  - mnist_lent\n": ":4: experiment=mnist_lent: unknown choice; did you mean mnist",
    HEAD + "defaults:\n  - override /datset: mnist\n": ":4: datset: unknown group; did you mean dataset?",
    HEAD + "defaults:\n  - dataset: mnist\n": ":4: 'dataset: mnist': must be 'override /dataset: mnist'",
    HEAD + "defaults:\n  - /dataset: mnist\n": ":4: '/dataset: mnist': must be 'override /dataset: mnist'",
    HEAD + "defaults:\n  - a: 1\n    b: 2\n": ":4: defaults: each must be a file of this group or one",
    HEAD + "defaults:\n  - mine\n": ":1: is one of its own defaults",
}
"""What is in experiment/mine.yaml, and how the error begins behind the file's name."""


@pytest.mark.parametrize(("text", "said"), BROKEN_EXPERIMENTS.items(), ids=BROKEN_EXPERIMENTS.values())
def test_a_broken_experiment(text: str, said: str, write: Write) -> None:
    path = write("experiment/mine", text)
    with pytest.raises(ConfigError) as caught:
        check("experiment", "mine")
    assert str(caught.value).startswith(f"{path}{said}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(write: Write) -> None:
    path = write("experiment/mine", b"# \xff\xfe\n")
    assert problem("experiment", "mine") == f"{path}: not UTF-8 text"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "dataset/mine",
            "name: mnist\nvalidation: many\n",
            ":2: dataset.validation=many: must be a whole",
        ),
        ("model/mine", "# Mine.\nwidht: 2\n", ":2: model.widht: unknown knob; did you mean model.width?"),
        (
            "optimizer/mine",
            "name: adam\nlr: 1\n",
            ":2: optimizer.lr: unknown knob; did you mean optimizer.le",
        ),
        ("pruning/mine", "rates:\n  conv: -1\n", ":2: pruning.rates.conv=-1: must be a number >= 0"),
        ("rewind/mine", "name: [a]\n", ":1: rewind.name=[a]: must be one of weights, "),
        ("arm/mine", "# Mine.\n\ndraws: 0\n", ":3: arm.mine.draws=0: must be a whole number >= 1"),
        ("optimizer/mine", "defaults:\n  - adm\n", ":2: optimizer=adm: unknown choice; did you mean adam?"),
        (
            "model/mine",
            "name: conv2\n# @package _global_\n",
            ":2: '# @package _global_' must be the first",
        ),
    ],
)
def test_a_broken_choice_of_another_group(name: str, text: str, said: str, write: Write) -> None:
    path = write(name, text)
    assert problem(*name.split("/")).startswith(f"{path}{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Mine.\nmask: foo\n", ":2: arm.mine.mask=foo: unknown mask; "),
        (
            "weights: reinit\n\nmethod: rigle\n",
            ":3: arm.mine.method=rigle: unknown method; did you mean rigl?",
        ),
        ("invert: true\n", ":1: arm.mine.invert=true: needs a mask of "),
    ],
)
def test_an_arm_of_what_there_is_not_names_its_file_where_it_is_asked_for(
    text: str, said: str, write: Write
) -> None:
    path = write("arm/mine", text)
    arms.check(from_words([]))
    with pytest.raises(ConfigError) as caught:
        arms.check(from_words(["arms=[ticket,mine]"]))
    assert str(caught.value).startswith(f"{path}{said}")
    with pytest.raises(ConfigError, match=r"^arm\.mine\.mask=bar: unknown"):
        arms.check(from_words(["arm.mine.mask=bar"]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "rounds: 1\nsteps: ${foo}\n", ":4: ${foo}: unknown knob; ltr run --help lists the knobs"),
        (
            HEAD + "arms:\n  - ticket\n  - ${prune_rat}\n",
            ":5: ${prune_rat}: unknown knob; did you mean",
        ),
        (
            HEAD + "output_root: ${expanduser:${data_dirr}}\n",
            ":3: ${data_dirr}: unknown knob; did you me",
        ),
    ],
)
def test_a_reference_to_no_knob_names_its_file(text: str, said: str, write: Write) -> None:
    path = write("experiment/mine", text)
    assert problem("experiment", "mine").startswith(f"{path}{said}")


def test_a_file_may_have_no_comment_and_any_name(write: Write) -> None:
    write("experiment/my é", "# @package _global_\nrounds: 7\n")
    assert groups.choices("experiment")["my é"] == ""
    assert from_words(["experiment=my é"]).rounds == 7


@pytest.mark.parametrize(
    "text",
    [
        "\n# @package _global_\nrounds: 7\n",
        "# @package _global_\ndefaults:\n  - mnist_lenet\n  - override /model: conv2\nrounds: 7\n",
        "# @package _global_\nrounds: 7\nreplicates: ${rounds}\nsteps: ${replicates}\n",
        "# @package _global_\nrounds: 7\narms: [ticket, loud]\narm: {loud: {noise: 2}}\n",
        "# @package _global_\nrounds: 7\nhydra: {sweep: {dir: jobs}}\n",
        "# @package _global_\nrounds: 7\ndata_dir: '\\${foo}'\n",
        "# @package _global_\nrounds: 7\nseed: ${arm.snip.draws}\noptimizer:\n  momentum: ${prune_rate}\n",
    ],
)
def test_what_hydra_takes_is_taken(text: str, write: Write) -> None:
    write("experiment/mine", text)
    assert from_words(["experiment=mine"]).rounds == 7


SWEEP = HEAD + "hydra:\n  sweeper:\n    params:\n      "


@pytest.mark.parametrize("knob", ["seed", "optimizer.learning_rate"])
def test_a_file_that_sweeps_is_for_the_command_that_sweeps(knob: str, write: Write) -> None:
    path = write("experiment/swept", f"{SWEEP}{knob}: 1,2\n")
    write("experiment/mine", HEAD + "defaults: [swept, _self_]\n")
    for name in ("swept", "mine"):
        again = f"ltr run -m experiment={name}"
        said = f"{path}:6: {knob}=1,2: a value of hydra.sweeper.params; to sweep, type {again}"
        with pytest.raises(ConfigError, match=f"^{re.escape(said)}$"):
            overrides([f"experiment={name}"])
        words = [f"experiment={name}", f"{knob}=1"]  # as a job of the sweep repeats it
        assert overrides(words) == words
        assert overrides(words[:1], sweep=True) == words[:1]


def test_an_arm_may_come_from_the_file_that_a_file_is_made_of(write: Write) -> None:
    write("experiment/loud", HEAD + "arm: {loud: {noise: 2}}\n")
    write("experiment/mine", HEAD + "defaults: [loud, _self_]\narms: [ticket, loud]\n")
    assert from_words(["experiment=mine"]).arms == from_words(["experiment=loud", "arms=[ticket,loud]"]).arms


def test_a_broken_file_is_an_error_of_those_that_are_made_of_it(write: Write) -> None:
    path = write("optimizer/mine", "nam: adam\n")
    write("experiment/mine", HEAD + "defaults:\n  - override /optimizer: mine\n")
    assert problem("experiment", "mine").startswith(f"{path}:1: optimizer.nam: unknown knob")


def test_a_broken_file_stops_no_run_without_it(write: Write) -> None:
    for name in ("experiment/mine", "model/mine", "arm/mine"):
        path = write(name, "a: [\n")
    assert "mine" not in from_words([]).arm
    with pytest.raises(ConfigError, match=f"^{path}:2: not YAML"):
        from_words(["arms=[ticket,mine]"])
    with pytest.raises(ConfigError, match=f"^{path}:2: not YAML"):
        from_words(["arm.mine.draws=2"])
    write("experiment/mine", HEAD + "arms: [ticket, mine]\n")
    with pytest.raises(ConfigError, match=f"^{path}:2: not YAML"):
        from_words(["experiment=mine"])


def test_help_lists_a_broken_file_and_goes_on(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("experiment/mine", "a: [\n")
    write("experiment/silent", "# @package _global_\nrounds: 7\n")
    with pytest.raises(SystemExit) as caught:
        main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    assert f"experiment=mine broken: {path}:2: not YAML".replace(" ", "") in said.replace(" ", "")
    assert "experiment=silent (no comment in its file says what it is)" in said
    assert "experiment=mnist_untrained" in said


def test_a_broken_file_is_one_line_and_exit_code_2(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("experiment/mine", HEAD + "rounds: x\n")
    assert main(["run", "experiment=mine"]) == 2
    assert capsys.readouterr() == ("", f"ltr run: {path}:3: rounds=x: must be a whole number >= 0\n")


def test_a_broken_base_is_named_too(write: Write) -> None:
    path = write("config", "defaults:\n  - [\n")
    with pytest.raises(ConfigError, match=f"^{path}:3: not YAML"):
        base_choices()


def test_a_file_that_ends_in_yml_is_to_be_renamed(write: Write) -> None:
    path = write("experiment/mine", HEAD)
    path.rename(path.with_suffix(".yml"))
    with pytest.raises(
        ConfigError, match=r"experiment=mine: unknown choice; rename .*mine\.yml to end in \.yaml$"
    ):
        from_words(["experiment=mine"])


def test_config_yaml_chooses_one_of_each_group_but_experiments() -> None:
    assert set(base_choices()) == set(groups.group_names()) - {"experiment"}
