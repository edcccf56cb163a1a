"""A list of runs shows what the whole content of each `run.json` would show, and skips the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from ltr.store import listed, sealed_text
from ltr.store.catalog import Run

SESSION = {"began": "then", "command": "ltr run seed=1", "plugins": {"more": "1.2"}, "host": "vm"}
RUN: dict[str, Any] = {
    "id": "ad0642c186",
    "schema_version": 5,
    "status": "failed",
    "error": "outputs: No space left on device",
    "settings": {"seed": 2**70, "optimizer.learning_rate": 1e-5, "arms": ["ticket", "é"], "ticket": None},
    "sessions": [SESSION, {**SESSION, "command": "ltr run seed=2"}],
    "summary": {"rounds_done": 3, "ticket_accuracy": 0.6333333253860474, "ended": 0},
    "looks": 1,
}


def test_what_is_listed_has_the_written_values() -> None:
    assert listed.from_json(sealed_text.to_json(RUN)) == {
        **{name: RUN[name] for name in ("status", "error", "settings", "summary")},
        "sessions": [
            {"command": "ltr run seed=1", "plugins": {"more": "1.2"}},
            {"command": "ltr run seed=2", "plugins": {"more": "1.2"}},
        ],
    }


def test_what_is_not_written_is_not_listed() -> None:
    assert listed.from_json(b'{"status": "finished", "looks": 1}') == {"status": "finished"}
    assert listed.from_json(b'{"status": "finished", "sessions": [{}]}')["sessions"] == [{}]
    assert listed.from_json(b'{"status": "finished", "summary": null}')["summary"] is None


def test_a_path_that_is_not_in_utf_8_comes_back() -> None:
    session = {"command": "ltr run output_root=\udcff"}
    found = listed.from_json(sealed_text.to_json({**RUN, "sessions": [session]}))
    assert found["sessions"] == [session]


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="other text than was written"):
        listed.from_json(sealed_text.to_json(RUN).replace(b'"looks": 1', b'"looks": 2'))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "{}",
            '{"status": "finished"} {}',
            '{"status": 3}',
            '{"status": "failed", "looks": }',
        ),
        *('{"status": "finished", "summary": 5}', '{"status": "failed", "settings": [1]}'),
        *('{"status": "failed", "sessions": ["ltr run"]}', '{"status": "failed", "sessions": null}'),
    ],
)
def test_a_broken_run_is_damaged_in_a_list_too(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    for parse in (listed.from_json, sealed_text.from_json):
        assert Run(tmp_path, parse).info == {"status": "damaged"}


@pytest.mark.parametrize("status", ["running", "finished", "stopped", "failed"])
def test_a_list_says_of_a_run_what_its_whole_content_says(status: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({**RUN, "status": status}))
    short, whole = Run(tmp_path, listed.from_json), Run(tmp_path)
    for name in ("status", "error", "resume_command", "obstacle", "plugins", "settings", "written"):
        assert getattr(short, name) == getattr(whole, name), name
