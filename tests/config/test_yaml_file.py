"""YAML files are read as OmegaConf reads them, by libyaml or without it."""

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from ltr.config import groups, yaml_file
from ltr.config.yaml_file import read

SCALARS = """
1e-3 1E5 1.5 .5 -2 1_000 0x1f 0o17 017 1:30 1:30.5 yes No on ~ null true 2020-01-01 inf .inf -.INF .nan "1"
${seed} ??? 1.e3 1e 20ep
"""
"""Words that YAML 1.1, YAML 1.2 and OmegaConf take for different things."""


@pytest.mark.parametrize("loader", ["_FastLoader", "_Loader"])
def test_values_are_those_of_omegaconf(loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_file, "_FastLoader", getattr(yaml_file, loader))
    path = tmp_path / "scalars.yaml"
    lines = [f"a{number}: {scalar}" for number, scalar in enumerate(SCALARS.split())]
    path.write_text("\n".join(["base: &base {x: 1e-3, z: [1e5]}", "more: {<<: *base, y: 2}", *lines]))
    expected = OmegaConf.to_container(OmegaConf.load(path))
    assert repr(read(path).values()) == repr(expected)


def test_every_file_of_ours_is_read_as_hydra_reads_it() -> None:
    files = sorted(groups.config_dir().rglob("*.yaml"))
    assert len(files) > 80
    for file in files:
        assert read(file).values() == OmegaConf.to_container(OmegaConf.load(file)), file


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("# Some.\na: 1\nb:\n  c:\n    - 2\n  d: 3\n")
    file = read(path)
    assert [file.line(keys) for keys in (["a"], ["b", "d"], ["b", "e"], ["e"])] == [2, 6, 3, 1]


def test_libyaml_is_used_where_it_is_there() -> None:
    assert issubclass(yaml_file._FastLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
