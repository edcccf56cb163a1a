import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.config.parse import as_typed, knobs, parse
from ltr.config.schema import Duration, Experiment, FilePath, to_dict
from ltr.errors import ConfigError

durations = st.builds(Duration, st.integers(1, 10**6), st.sampled_from(["", "ep"]))
rates = st.floats(0, 1, exclude_min=True, exclude_max=True)
multiples = st.floats(0, 1e6)
positive = st.floats(0, 1e6, exclude_min=True)
values = st.fixed_dictionaries(
    {},
    optional={
        "prune_rate": rates,
        "rounds": st.integers(0, 10**6),
        "replicates": st.integers(1, 10**6),
        "seed": st.integers(0, 2**32 - 1),
        "steps": durations,
        "batch_size": st.integers(1, 10**6),
        "eval_every": durations,
        "rewind_step": durations,
        "arms": st.just(["ticket"]) | st.just(["one_shot", "ticket"]),
        "dataset": st.fixed_dictionaries({"name": st.text(), "validation": st.integers(1, 10**6)}),
        "optimizer": st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["adam", "sgd", "momentum"]),
                "learning_rate": positive,
                "momentum": st.floats(0, 1, exclude_max=True),
                "weight_decay": multiples,
                "warmup": durations,
                "schedule": st.sampled_from(["constant", "step", "cosine"]),
                "drops": st.lists(durations, max_size=3),
                "drop_factor": rates,
            },
        ),
        "pruning": st.fixed_dictionaries(
            {"scope": st.sampled_from(["global", "uniform", "erk"])},
            optional={
                "sign": st.sampled_from(["any", "same", "different"]),
                "densities": st.lists(rates, max_size=3, unique=True).map(lambda some: sorted(some)[::-1]),
                "rates": st.fixed_dictionaries({"conv": multiples, "output": multiples}),
            },
        ),
        "arm": st.dictionaries(st.text(), st.fixed_dictionaries({"draws": st.integers(1, 100)}), max_size=2),
        "devices": st.none() | st.integers(1, 100),
        "data_dir": st.none() | st.text(),
    },
)


@given(values)
def test_an_experiment_survives_being_written_as_json_and_parsed(given_: dict[str, Any]) -> None:
    experiment = parse(given_)
    assert parse(json.loads(json.dumps(to_dict(experiment)))) == experiment


def test_what_is_not_said_is_the_default() -> None:
    assert parse({}) == Experiment()
    assert (
        parse({"optimizer": {"name": "sgd"}}).optimizer.learning_rate == Experiment().optimizer.learning_rate
    )


PRUNE_RATE = "must be a number > 0 and < 1"
DURATION = "must be steps or epochs, as in 50000 or 20ep"
BAD: list[tuple[dict[str, Any], str]] = [
    ({"prune_rate": 0}, f"prune_rate=0: {PRUNE_RATE}"),
    ({"prune_rate": 1}, f"prune_rate=1: {PRUNE_RATE}"),
    ({"prune_rate": -1}, f"prune_rate=-1: {PRUNE_RATE}"),
    ({"prune_rate": "abc"}, f"prune_rate=abc: {PRUNE_RATE}"),
    ({"prune_rate": float("nan")}, f"prune_rate=nan: {PRUNE_RATE}"),
    ({"rounds": -1}, "rounds=-1: must be a whole number >= 0"),
    ({"rounds": 1.5}, "rounds=1.5: must be a whole number >= 0"),
    ({"rounds": True}, "rounds=true: must be a whole number >= 0"),
    ({"optimizer": {"clip": True}}, "optimizer.clip=true: must be a number > 0 or null"),
    ({"arm": {"mine": {"noise": False}}}, "arm.mine.noise=false: must be a number >= 0"),
    ({"early_bird": [True, None]}, "early_bird=[true,null]: must be true or false"),
    ({"replicates": 0}, "replicates=0: must be a whole number >= 1 or auto"),
    ({"seed": -1}, "seed=-1: must be a whole number >= 0 and < 4294967296"),
    ({"seed": 2**32}, "seed=4294967296: must be a whole number >= 0 and < 4294967296"),
    ({"steps": 0}, "steps=0: must be at least one step"),
    ({"steps": "0ep"}, "steps=0ep: must be at least one step"),
    ({"steps": "20 ep"}, f"steps=20 ep: {DURATION}; did you mean steps=20ep?"),
    ({"steps": -5}, f"steps=-5: {DURATION}"),
    ({"steps": True}, f"steps=true: {DURATION}"),
    ({"eval_every": 0}, "eval_every=0: must be at least one step"),
    ({"rewind_step": "1.5ep"}, f"rewind_step=1.5ep: {DURATION}"),
    ({"batch_size": 0}, "batch_size=0: must be a whole number >= 1"),
    ({"arms": "ticket"}, "arms=ticket: must be a list, each a word; did you mean arms=[ticket]?"),
    ({"arms": ["one_shot"]}, "arms=[one_shot]: must contain ticket, which decides what is pruned"),
    ({"dataset": {"validation": 0}}, "dataset.validation=0: must be a whole number >= 1"),
    ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate=0: must be a number > 0"),
    ({"optimizer": {"momentum": 1}}, "optimizer.momentum=1: must be a number >= 0 and < 1"),
    (
        {"optimizer": {"drops": ["5", "x"]}},
        "optimizer.drops=x: must be a list, each steps or epochs, as in 50000 or 20ep",
    ),
    (
        {"pruning": {"scope": "erk", "densities": [0.5, 1]}},
        "pruning.densities=1: must be a list, each a number > 0 and < 1",
    ),
    (
        {"pruning": {"scope": "erk", "densities": [0.5, 0.2, 0.2]}},
        "pruning.densities=[0.5,0.2,0.2]: must fall from round to round",
    ),
    ({"pruning": {"rates": {"conv": -1}}}, "pruning.rates.conv=-1: must be a number >= 0"),
    ({"arm": {"random_mask": {"draws": 0}}}, "arm.random_mask.draws=0: must be a whole number >= 1"),
    ({"steps": 1e3}, f"steps=1000.0: {DURATION}; did you mean steps=1000?"),
    ({"prune_rate": "20%"}, f"prune_rate=20%: {PRUNE_RATE}; did you mean prune_rate=0.2?"),
    ({"prune_rate": 20}, f"prune_rate=20: {PRUNE_RATE}; did you mean prune_rate=0.2?"),
    ({"rounds": True}, "rounds=true: must be a whole number >= 0"),
    ({"pruning": {"rates": {"conv": False}}}, "pruning.rates.conv=false: must be a number >= 0"),
    ({"arm": {"ticket": {"draws": True}}}, "arm.ticket.draws=true: must be a whole number >= 1"),
    ({"devices": True}, "devices=true: must be a whole number >= 1 or null"),
    ({"prune_rate": None}, f"prune_rate=null: {PRUNE_RATE}"),
    ({"optimizer": "sgd"}, "optimizer=sgd: holds knobs, such as optimizer.name"),
    ({"arm": {"loud": None}}, "arm.loud=null: holds knobs, such as arm.NAME.mask"),
    ({"optimizer": {"lr": 1}}, "optimizer.lr: unknown knob; did you mean optimizer.learning_rate?"),
    ({"checkpoint_every": 0}, "checkpoint_every=0: must be a number > 0"),
    (
        {"output_root": "ftp://bucket/runs"},
        "output_root=ftp://bucket/runs: must be a folder, or an address gs://BUCKET/NAME or s3://BUCKET/NAME",
    ),
    (
        {"data_dir": "gs:///data"},
        "data_dir=gs:///data: must be a folder, or an address gs://BUCKET/NAME or s3://BUCKET/NAME",
    ),
    ({"prune_rat": 0.1}, "prune_rat: unknown knob; did you mean prune_rate?"),
    (
        {"optimizer": {"learning_rat": 1}},
        "optimizer.learning_rat: unknown knob; did you mean optimizer.learning_rate?",
    ),
]


@pytest.mark.parametrize(("given_", "message"), BAD, ids=[message.partition(":")[0] for _, message in BAD])
def test_a_bad_value_is_one_line_with_knob_value_and_what_is_allowed(
    given_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(given_)
    assert str(raised.value) == message
    assert raised.value.exit_code == 2


def test_paths_in_the_home_folder_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    parsed = parse({"output_root": "~/runs", "data_dir": "~", "dataset": {"path": "~/mine~.npz"}})
    assert (parsed.output_root, parsed.data_dir) == ("/home/ada/runs", "/home/ada")
    assert parsed.dataset.path == "/home/ada/mine~.npz"


def test_the_knobs_that_are_taken_as_typed() -> None:
    paths = {name: isinstance(mark, FilePath) for name, mark in as_typed().items()}
    assert paths == {"dataset.path": True, "ticket": False, "output_root": True, "data_dir": True}


@pytest.mark.parametrize(("rounds", "prunings"), [(0, 0), (1, 1), (2, 2), (15, 2)])
def test_there_are_no_more_rounds_than_densities(rounds: int, prunings: int) -> None:
    pruning = {"scope": "global", "densities": [0.5, 0.05]}
    assert parse({"rounds": rounds, "pruning": pruning}).rounds == prunings


def test_every_knob_is_documented_once() -> None:
    found = list(knobs())
    assert len({knob.name for knob in found}) == len(found)
    assert {"prune_rate", "optimizer.learning_rate", "pruning.rates.output", "arm.NAME.draws"} <= {
        knob.name for knob in found
    }
    assert all(knob.meaning and knob.allowed for knob in found)


def test_a_knob_says_what_it_may_be() -> None:
    (knob,) = (knob for knob in knobs() if knob.name == "prune_rate")
    assert (knob.default, knob.allowed) == (0.2, "a number > 0 and < 1")
    assert knob.meaning == "fraction of the remaining weights of a layer that a round prunes"


def test_replicates_may_be_as_many_as_it_takes() -> None:
    auto = parse({"replicates": "auto"})
    assert (auto.replicates, auto.claims.most) == (5, 30)
    assert parse({"replicates": "auto", "claims": {"most": 4}}).replicates == 4
    for most in ("many", 2, -3):
        with pytest.raises(ConfigError, match=f"^claims.most={most}: must be a whole number >= 3 or null"):
            parse({"replicates": "auto", "claims": {"most": most}})
    assert parse(to_dict(auto)) == auto
    with pytest.raises(ConfigError, match=r"replicates=some: must be a whole number >= 1 or auto$"):
        parse({"replicates": "some"})
