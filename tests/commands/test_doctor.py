"""`ltr doctor`: what this installation has."""

import json

import pytest

from ltr import kernels
from ltr.cli import main

Captured = pytest.CaptureFixture[str]
SCHEMA = {
    "ltr": str, "processor": str, "cores": int, "devices": str, "sparse_kernels": str, "python": str,
    "jax": str, "jaxlib": str, "numpy": str, "torch": str, "data_folder": str, "data_prepared": list,
    "cache_folder": str, "free_bytes": int,
}  # fmt: skip
MAY_BE_NULL = {"sparse_kernels", "torch"}


def test_the_schema_does_not_drift(capsys: Captured) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == list(SCHEMA)
    for name, kind in SCHEMA.items():
        assert isinstance(found[name], kind) or (name in MAY_BE_NULL and found[name] is None)


@pytest.mark.parametrize("built", [True, False])
def test_it_says_which_kernels_there_are(
    built: bool, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "instruction_set", lambda: "AVX9" if built else None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert ("kernels  AVX9\n" in said) == built
    assert ("kernels  not built" in said) != built
    assert [line for line in said.splitlines() if len(line) > 80] == []
