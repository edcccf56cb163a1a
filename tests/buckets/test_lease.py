"""The lock of a folder in a bucket: one holder at a time, which may be replaced when it no longer answers."""

from datetime import datetime, timedelta

import pytest

from ltr.buckets import lease
from ltr.buckets.bucket import Bucket, BucketError
from ltr.buckets.lease import LIFE, Lease, State
from ltr.errors import ConfigError, LockedError, LtrError


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = lease.now()

    def __call__(self) -> datetime:
        return self.time

    def forward(self, time: timedelta) -> None:
        self.time += time


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Place:
    """A folder in a bucket, whose lease is taken by processes of this clock."""

    def __init__(self, address: str, clock: Clock) -> None:
        self.address, self._clock = address, clock
        self.bucket, self.folder = Bucket(address), address.split("/", 3)[3]
        self.key = f"{self.folder}/{lease.NAME}"

    def take(self) -> Lease:
        return Lease(self.bucket, self.key, self._clock)

    def holder(self) -> State:
        return State.decode(self.bucket.read(self.key).content)


@pytest.fixture
def place(bucket: str, clock: Clock) -> Place:
    return Place(bucket, clock)


def test_a_second_process_is_told_who_writes(place: Place) -> None:
    place.take()
    with pytest.raises(LockedError) as error:
        place.take()
    holder = place.holder()
    assert holder.holder.startswith("process ")
    assert str(error.value) == (
        f"{place.address} is being written by {holder.holder}; "
        f"if that was killed, the lock ends at {holder.until:%H:%M:%S} UTC"
    )


def test_a_lease_that_is_given_back_is_free_at_once(place: Place, clock: Clock) -> None:
    with lease.held(place.bucket, place.folder) as first:
        assert lease.is_held(place.bucket, place.folder)
        first.require()
    assert not lease.is_held(place.bucket, place.folder)
    clock.time = lease.now()
    place.take()


def test_a_lease_that_is_renewed_stays(place: Place, clock: Clock) -> None:
    first = place.take()
    for _ in range(4):
        clock.forward(LIFE / 2)
        first.renew()
    with pytest.raises(LockedError):
        place.take()
    first.require()


def test_an_expired_lease_is_taken_over(place: Place, clock: Clock) -> None:
    first = place.take()
    clock.forward(LIFE - timedelta(seconds=1))
    with pytest.raises(LockedError):
        place.take()
    clock.forward(timedelta(seconds=1))
    second = place.take()
    second.require()
    first.renew()
    with pytest.raises(LtrError, match=r"another process writes it, .* nothing more is written$"):
        first.require()
    token = place.holder().token
    first.give_back()
    assert place.holder().token == token
    with pytest.raises(LockedError):
        place.take()


def test_an_expired_lease_that_nobody_took_is_renewed(place: Place, clock: Clock) -> None:
    first = place.take()
    clock.forward(10 * LIFE)
    first.require()
    with pytest.raises(LockedError):
        place.take()


def test_of_two_that_take_an_expired_lease_one_succeeds(
    place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.take()
    clock.forward(LIFE)
    found = lease._found(place.bucket, place.key)
    place.take()
    monkeypatch.setattr(lease, "_found", lambda *_: found)  # as the other saw it before
    with pytest.raises(LockedError, match=r"is being written by another process$"):
        place.take()


def test_a_renewal_without_an_answer_is_tried_again(
    place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.take()
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "write", _unanswered)
        with pytest.raises(BucketError):
            first.renew()
    clock.forward(LIFE)
    first.require()


def _unanswered(bucket: Bucket, *_: object) -> None:
    raise BucketError(f"s3://{bucket.name}", "does not answer")


def test_what_is_no_lock_is_said(place: Place) -> None:
    place.bucket.write(place.key, b"[]", None)
    assert lease.is_held(place.bucket, place.folder)
    with pytest.raises(LtrError, match=r"/\.lock: is not a lock of ltr; remove it if no process writes"):
        place.take()


def test_a_store_without_conditions_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltr.buckets.bucket._mode", lambda _: "overwrite")
    with pytest.raises(ConfigError, match="ignores If-None-Match or If-Match"):
        place.take()
