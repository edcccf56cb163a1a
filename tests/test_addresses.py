"""Addresses of buckets: which are allowed; they and the paths of working copies follow from each other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltr.addresses import address_of, is_allowed, kept_here, local, shown
from ltr.errors import LtrError


@pytest.mark.parametrize(
    "place", ["outputs", "/a b/c", "s3://bucket", "gs://my-bucket.1/a/b_c", "s3://bucket/a/"]
)
def test_a_place_is_a_folder_or_an_address(place: str) -> None:
    assert is_allowed(place)


@pytest.mark.parametrize(
    "place",
    [
        *("ftp://bucket/a", "s3://", "s3:///a", "s3://B/a", "s3://bucket//a", "s3://bucket/a b"),
        *("s3://bucket/..", "s3://bucket/../a", "s3://bucket/a/./b", "S3://bucket/a", "x s3://bucket"),
    ],
)
def test_what_looks_like_an_address_and_is_none_is_not_allowed(place: str) -> None:
    assert not is_allowed(place)


def test_a_folder_is_its_own_path() -> None:
    assert local("outputs/a") == Path("outputs/a")
    assert address_of(Path("outputs/a").absolute()) is None
    assert address_of(Path("s3:/bucket/a")) is None
    assert kept_here(Path("elsewhere")) == Path("elsewhere")


@pytest.mark.parametrize("address", ["s3://bucket", "gs://bucket/runs/a"])
def test_a_working_copy_is_named_by_its_address(address: str) -> None:
    path = local(address)
    assert address_of(path) == address
    assert address_of(path / "b") == f"{address}/b"
    assert kept_here(path) == Path("outputs")
    assert shown(f"{path}/run.json: damaged, and {path}") == f"{address}/run.json: damaged, and {address}"
    assert str(LtrError(f"{path}: missing")) == f"{address}: missing"


WORKING_COPY = """
from ltr.addresses import local
copy = local("s3://bucket/runs")
copy.mkdir(parents=True)
print(copy.parents[2], flush=True)
input()
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files."""
    (folder := tmp_path / "temporary").mkdir()
    return folder


class Owner:
    """A process with a working copy, which it keeps until it ends."""

    def __init__(self, temporary: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKING_COPY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        assert self.process.stdout is not None
        self.folder = Path(self.process.stdout.readline().strip())

    def end(self) -> None:
        """Let it end by itself."""
        self.process.communicate("\n")

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def owner(temporary: Path) -> Iterator[Owner]:
    """A process with a working copy."""
    owner = Owner(temporary)
    yield owner
    owner.kill()


def test_a_process_removes_its_working_copies(owner: Owner, temporary: Path) -> None:
    assert [*temporary.iterdir()] == [owner.folder]
    owner.end()
    assert [*temporary.iterdir()] == []


def test_working_copies_of_a_killed_process_are_removed_by_the_next(owner: Owner, temporary: Path) -> None:
    """Those of a process that runs stay, and those without a lock, as of earlier versions."""
    (unlocked := temporary / owner.folder.name[:-4]).mkdir()
    (second := Owner(temporary)).kill()
    assert {*temporary.iterdir()} == {unlocked, owner.folder, second.folder}
    Owner(temporary).end()
    assert {*temporary.iterdir()} == {unlocked, owner.folder}
    assert (owner.folder / "s3:" / "bucket" / "runs").is_dir()
