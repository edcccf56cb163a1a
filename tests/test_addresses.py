"""Addresses of buckets: which are allowed; they and the paths of working copies follow from each other."""

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
