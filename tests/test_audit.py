"""The audit of what ltr is installed with: licences that are not permissive, and known vulnerabilities."""

from typing import Any

import pytest

from scripts import audit

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("title", "is_permissive"),
    [
        ("MIT License", True),
        ("Apache Software License; BSD License", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("UNKNOWN", False),
        ("LIMITED PERMISSION", False),
    ],
)
def test_a_licence_is_permissive_if_all_of_it_is(title: str, is_permissive: bool) -> None:
    assert audit.is_permissive(title) == is_permissive


def test_what_is_wrong_is_one_line_each(capsys: Captured) -> None:
    packages = [{"Name": "one", "License": "MIT"}, {"Name": "two", "License": "Terms\nas in MIT"}]
    assert audit.licences(packages) == [
        "two: licence 'Terms' is not among those that are known to be permissive"
    ]
    found = {"id": "PYSEC-1", "fix_versions": ["1.1"]}
    answers: list[dict[str, Any]] = [
        {"name": "one", "version": "1.0", "vulns": [found]},
        {"name": "two", "skip_reason": "not found"},
    ]
    assert audit.vulnerabilities(answers) == ["one 1.0: PYSEC-1, mended in 1.1"]
    assert capsys.readouterr().out == (
        "licences: 1 of 2 packages are permissive\nvulnerabilities: asked for 2 packages, answered for 1\n"
    )


def test_licences_are_said_though_the_network_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def answer(tool: str, *_: str) -> Any:
        if tool == "pip-audit":
            raise SystemExit("pip-audit: no route to host")
        return [{"Name": "two", "License": "UNKNOWN"}]

    monkeypatch.setattr(audit, "_json", answer)
    with pytest.raises(SystemExit, match="no route to host"):
        audit.main()
    assert capsys.readouterr().err.startswith("two: licence 'UNKNOWN' is not among")
