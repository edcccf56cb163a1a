"""Words of a command line: the answer to each that is wrong, and what Hydra is given of the others."""

from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from ltr.config.overrides import overrides
from ltr.config.words import option_as_word
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words

ANSWERS = {
    # knobs and choices
    ("prune_rat=0.2",): "prune_rat: unknown knob; did you mean prune_rate?",
    ("+prune_rat=0.2",): "prune_rat: unknown knob; did you mean prune_rate?",
    ("prune-rate=0.2",): "prune-rate: unknown knob; did you mean prune_rate?",
    ("learning_rate=1",): "learning_rate: unknown knob; did you mean optimizer.learning_rate?",
    ("lr=0.01",): "lr: unknown knob; did you mean optimizer.learning_rate?",
    ("optimizer.lr=0.01",): "optimizer.lr: unknown knob; did you mean optimizer.learning_rate?",
    ("epochs=20",): "epochs: unknown knob; did you mean steps=20ep?",
    ("arm.ticket.drawz=2",): "arm.ticket.drawz: unknown knob; did you mean arm.NAME.draws?",
    ("zzz=1",): "zzz: unknown knob; ltr run --help lists the knobs",
    ("model=resnet-20",): "model=resnet-20: unknown choice; did you mean resnet20?",
    ("dataset=MNIST",): "dataset=MNIST: unknown choice; did you mean mnist?",
    ("dataset=digit",): "dataset=digit: unknown choice; did you mean digits?",
    ("dataset=",): "dataset=: unknown choice; known: cifar10, ",
    ("model=choice(conv2,conv9)",): "model=conv9: unknown choice; did you mean conv6?",
    ("model=xyz",): "model=xyz: unknown choice; known: conv2, conv4, conv6, ",
    ("experiment=cifar10_conv2_",): "experiment=cifar10_conv2_: unknown choice; did you mean cifar10_conv2?",
    ("experiment=mnist_lenet.yaml",): "experiment=mnist_lenet.yaml: unknown choice; did you mean mnist_",
    ("experiment=mnist_lenet,mnist_lent",): "experiment=mnist_lent: unknown choice; did you mean mnist_len",
    ("experiment=mnist_l",): "experiment=mnist_l: unknown choice; did you mean one of mnist_lenet, mn",
    ("arm=random_mask",): "arm=random_mask: arms are chosen by name, as in arms=[ticket,random_mask]",
    ("arm.one_shoot.draws=2",): "arms: unknown arm one_shoot; did you mean one_shot?",
    ("arms=[ticket,one_shoot]",): "arms: unknown arm one_shoot; did you mean one_shot?",
    # forms
    ("rounds",): "rounds: not a knob; type key=value",
    ("rounds", "5"): "rounds: not a knob; type rounds=5",
    ("rounds", "=", "5"): "rounds: not a knob; type rounds=5",
    ("rounds=", "5"): "rounds=: ends in a space; type rounds=5",
    ("help",): "help: not a knob; ltr run --help lists them",
    ("mnist_lenet",): "mnist_lenet: not a knob; type experiment=mnist_lenet",
    ("=3",): "'=3': not a knob; type key=value",
    ("",): "'': not a knob; type key=value",
    ("–m", "seed=1"): "–m: has – in it; did you mean -m?",
    ("seed=“1”",): "seed=“1”: has “ in it; did you mean seed=1?",
    ("'seed=1'",): "'seed=1': has ' in it; did you mean seed=1?",
    ("optimizer.learning_rate=1e−3",): "optimizer.learning_rate=1e−3: has − in it; did you mean "
    "optimizer.learning_rate=1e-3?",
    # lists and sweeps
    ("prune_rate=0.1,0.2", "seed=1"): "prune_rate=0.1,0.2: has several values; to sweep, type ltr run -m "
    "prune_rate=0.1,0.2 seed=1",
    ("seed=range(0,3)",): "seed=range(0,3): has several values; to sweep, type ltr run -m 'seed=range(0,3)'",
    ("optimizer=range(1,3)",): "optimizer=range(1,3): optimizer takes names; list them, as in "
    "optimizer=adam,momentum",
    ("optimizer=[adam,sgd]",): "optimizer=[adam,sgd]: takes one choice; to sweep, type ltr run -m "
    "optimizer=adam,sgd",
    ("arms=ticket,random_reinit",): "arms=ticket,random_reinit: is a list; type 'arms=[ticket,random_rein",
    ("arms=ticket",): "arms=ticket: must be a list, each a word; did you mean arms=[ticket]?",
    ("arms=one_shot",): "arms=one_shot: must be a list, each a word; did you mean arms=[ticket,one_shot]?",
    ("arms=true",): "arms=true: must be a list, each a word",
    ("arms=one_shoot",): "arms: unknown arm one_shoot; did you mean one_shot?",
    ("arms=ticket,one_shoot",): "arms: unknown arm one_shoot; did you mean one_shot?",
    ("arms=random_mask,one_shot",): "arms=[random_mask,one_shot]: must contain ticket",
    ("claims.decide=weight",): "claims.decide=weight: unknown claim; did you mean weights?",
    ("claims.decide=weights,structur",): "claims.decide=structur: unknown claim; did you mean structure?",
    ("arms=[ticket,", "random_reinit]"): "arms=[ticket,: has a space in it; quote the whole: type "
    "'arms=[ticket, random_reinit]'",
    ("arms=[ticket", ",random_reinit]"): "arms=[ticket: has a space in it; quote the whole",
    ("prune_rate=[0.2",): "prune_rate=[0.2: [ is never closed",
    ("prune_rate=[0.2", "seed=1]"): "prune_rate=[0.2: [ is never closed",
    # values
    ("steps=1e3",): "steps=1e3: must be steps or epochs, as in 50000 or 20ep; did you mean steps=1000?",
    (
        "steps=20 epochs",
    ): "steps=20 epochs: must be steps or epochs, as in 50000 or 20ep; did you mean steps=20ep?",
    ("prune_rate=20%",): "prune_rate=20%: must be a number > 0 and < 1; did you mean prune_rate=0.2?",
    ("prune_rate=20",): "prune_rate=20: must be a number > 0 and < 1; did you mean prune_rate=0.2?",
    ("prune_rate=0.2,",): "prune_rate=0.2,: must be a number > 0 and < 1; did you mean prune_rate=0.2?",
    ("dataset=mnist,",): "dataset=mnist,: cannot be read; did you mean dataset=mnist?",
    ("prune_rate==0.2",): "prune_rate==0.2: must be a number > 0 and < 1",
    ("prune_rate:0.2",): "prune_rate:0.2: not a knob; type prune_rate=0.2",
    ("prune_rate=",): "prune_rate=: must be a number > 0 and < 1",
    ("rounds=-1",): "rounds=-1: must be a whole number >= 0",
    ("rounds=true",): "rounds=true: must be a whole number >= 0",
    ("replicates=0",): "replicates=0: must be a whole number >= 1 or auto",
    ("seed=abc",): "seed=abc: must be a whole number >= 0 and < 4294967296",
    ("seed=1=2",): "seed=1=2: must be a whole number >= 0 and < 4294967296",
    ("dataset.sha256=a=b",): "dataset.sha256=a=b: cannot be read; did you mean 'dataset.sha256=\"a=b\"'?",
    ("sparse=Never",): "sparse=Never: must be one of auto, always, never; did you mean sparse=never?",
    ("+arm.loud={noise:-2}",): "arm.loud.noise=-2: must be a number >= 0",
}
"""Words, and how the answer begins."""


@pytest.mark.parametrize(("words", "answer"), ANSWERS.items(), ids=map(" ".join, ANSWERS))
def test_wrong_words_are_answered(words: tuple[str, ...], answer: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overrides(words)
    assert str(caught.value).startswith(answer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "following", "answer"),
    [
        ("--rounds", ["5"], "--rounds: not an option; type rounds=5"),
        ("--rounds=5", [], "--rounds=5: not an option; type rounds=5"),
        ("--prune-rate", ["0.2", "seed=1"], "--prune-rate: not an option; type prune_rate=0.2"),
        ("--experiment", ["mnist_lenet"], "--experiment: not an option; type experiment=mnist_lenet"),
        ("--seed", ["rounds=3"], "--seed: not an option; type seed="),
        ("--lr", ["0.1"], "--lr: not an option; did you mean optimizer.learning_rate?"),
        ("--epochs", ["5"], "--epochs: not an option; did you mean steps=5ep?"),
        (
            "-m",
            ["seed=1,2"],
            "-m: an option of ltr run alone; here, leave it out and name one value of each knob",
        ),
        ("-x", [], "-x: not an option; ltr run --help lists them"),
        ("--sideways", [], "--sideways: not an option; ltr run --help lists the knobs"),
    ],
)
def test_a_knob_that_was_typed_as_an_option(option: str, following: list[str], answer: str) -> None:
    assert option_as_word(option, following) == answer


@pytest.mark.parametrize(
    "word",
    [
        *("hydra.sweep.dir=jobs", "hydra/launcher=basic", "experiment=null", "~experiment", "seed=${rounds}"),
        *("arms=[ticket,one_shot]", "replicates=auto", "+arm.loud={noise:2}", "steps=20ep", "devices=null"),
        *('model="conv2"', "arm.one_shot.draws=1", "model=conv2"),
    ],
)
def test_other_words_are_left_to_hydra(word: str) -> None:
    assert overrides([word]) == [word]


def test_an_arm_may_be_defined_by_a_word_or_a_file() -> None:
    overrides(["arms=[ticket,loud]", "+arm.loud={noise:2}"])
    with pytest.raises(ConfigError, match="unknown arm loud"):
        overrides(["arms=[ticket,loud]"])


def test_sweeps_are_for_the_command_that_sweeps() -> None:
    words = ["prune_rate=0.1,0.2", "arms=[ticket],[ticket,one_shot]", "model=conv2,conv4"]
    assert overrides(words, sweep=True) == words
    with pytest.raises(ConfigError, match="is a list"):
        overrides(["arms=ticket,one_shot"], sweep=True)


# Paths


NAMES = [
    *("a=b.npz", "a b.npz", "a,b.npz", "a#b.npz", "{a}.npz", "[a", "a)", "données/密.npz", "it's", 'a"b'),
    *(
        "a\\",
        "a\\'b",
        "'a' b",
        "$HOME",
        "${seed}",
        "a\\${b",
        "-a",
        "a:b",
        "@a",
        "a;b|c&d",
        "*",
        "1e3",
        "true",
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_paths_are_taken_as_typed(name: str) -> None:
    (word,) = overrides([f"data_dir={name}"])
    assert overrides([word]) == [word]
    read = OverridesParser.create().parse_override(word)
    assert OmegaConf.to_container(OmegaConf.create({"data_dir": read.value()}), resolve=True) == {
        "data_dir": name
    }


@pytest.mark.parametrize("name", NAMES)
def test_paths_survive_the_way_to_the_jobs_of_a_sweep(name: str) -> None:
    words = overrides([f"data_dir={name}", "seed=0,1"], sweep=True)
    jobs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)[0]
    assert [overrides(job) == job for job in jobs] == [True, True]
    assert {OverridesParser.create().parse_override(path).value() for path, _ in jobs} == {
        OverridesParser.create().parse_override(words[0]).value()
    }


def test_a_path_is_composed_as_typed() -> None:
    name = "ä b,{c}=[d/${seed}#'e"
    experiment = from_words([f"data_dir={name}", f"output_root={name}", "seed=1"])
    assert (experiment.data_dir, experiment.output_root) == (name, name)


def test_every_text_that_is_marked_is_taken_as_typed() -> None:
    words = ["dataset.path=~/a=b", "ticket=a b@3", "output_root=é,", "data_dir={a}"]
    assert overrides(words) == [
        f"{key}='{value}'" for key, _, value in (word.partition("=") for word in words)
    ]


@pytest.mark.parametrize("word", ["data_dir=null", "data_dir=", "data_dir='a b'", 'data_dir="a, b"'])
def test_null_and_quoted_paths_are_left_as_they_are(word: str) -> None:
    assert overrides([word]) == [word]


def test_a_path_that_begins_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert from_words(["data_dir=~/my data"]).data_dir == "/home/ada/my data"


def test_commas_part_paths_in_a_sweep_if_each_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert overrides(["output_root=a b,c"], sweep=True) == ["output_root='a b,c'"]
    for name in ("a b", "c"):
        (tmp_path / name).touch()
    assert overrides(["dataset.path=a b,c"], sweep=True) == ["dataset.path='a b','c'"]
    assert overrides(["dataset.path=a b,c"]) == ["dataset.path='a b,c'"]
    (tmp_path / "a b,c").touch()
    assert overrides(["dataset.path=a b,c"], sweep=True) == ["dataset.path='a b,c'"]
    assert overrides(["ticket=last@3,last@7"], sweep=True) == ["ticket='last@3','last@7'"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("+steps=5", "steps=5"),
        ("+dataset.validation=3", "dataset.validation=3"),
        ("+optimizer=sgd", "optimizer=sgd"),
        ("+arms=[ticket]", "arms=[ticket]"),
        ("+arm.one_shot.draws=1", "arm.one_shot.draws=1"),
    ],
)
def test_a_plus_before_what_is_there(word: str, meant: str) -> None:
    key = meant.partition("=")[0]
    with pytest.raises(ConfigError) as caught:
        overrides([word])
    assert str(caught.value) == f"{word}: + adds a new knob, but {key} exists; type {meant}"
    assert overrides([f"+{word}", "+arm.loud={noise:2}"]) == [f"+{word}", "+arm.loud={noise:2}"]
