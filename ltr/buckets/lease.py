"""Lease: the lock of a folder in a bucket, an object that names its holder and says until when it is held.

The holder renews it. It may be taken over once it has expired, as that of a killed process. Both replace
exactly the version that was seen, so of several processes one succeeds. Clocks that differ do no harm: a
holder that lost its lease is told so by its next write, as every write is conditional.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self
from uuid import uuid4

from ltr.buckets.bucket import Bucket, BucketError, ConflictError, Found, Version
from ltr.errors import ConfigError, LockedError, LtrError

NAME = ".lock"

LIFE = timedelta(seconds=60)
"""Time for which a lease holds that is not renewed."""

RENEWED = timedelta(seconds=15)
"""Time between two renewals."""

Clock = Callable[[], datetime]


class State(NamedTuple):
    """Content of the object.

    Attributes:
        holder: machine and process.
        token: random text, which no other holder has.
        until: end of the lease; that of a lease that was given back is past.
    """

    holder: str
    token: str
    until: datetime

    def encode(self) -> bytes:
        """Return the content of the object."""
        return json.dumps({**self._asdict(), "until": self.until.isoformat()}).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Return the state that an object holds; ValueError if it is none."""
        try:
            values = json.loads(content)
            return cls(
                str(values["holder"]),
                str(values["token"]),
                datetime.fromisoformat(values["until"]).astimezone(UTC),
            )
        except (TypeError, KeyError) as error:
            raise ValueError(str(error)) from None


class Lease:
    """Lease that this process holds.

    Args:
        bucket: the bucket.
        key: name of the object.
        clock: returns the time.

    Raises:
        LockedError: another process holds the lease.
        ConfigError: the store takes no conditions of writes.
    """

    def __init__(self, bucket: Bucket, key: str, clock: Clock) -> None:
        self._bucket, self._key, self._clock = bucket, key, clock
        self._address = f"{bucket.scheme}://{bucket.name}/{key.removesuffix(f'/{NAME}')}"
        self._state = State(f"process {os.getpid()} on {socket.gethostname()}", uuid4().hex, clock() + LIFE)
        self._alone = threading.Lock()
        self._is_lost = False
        self._version = self._taken()

    def renew(self) -> None:
        """Extend the lease from now on; if another process has taken it, it is lost.

        Without an answer it stays as it is, so that it can be tried again.
        """
        self._replace(self._clock() + LIFE)

    def require(self) -> None:
        """Raise LtrError if the lease is lost. One that has expired is renewed first."""
        if not self._is_lost and self._clock() >= self._state.until:
            self.renew()
        if self._is_lost:
            raise LtrError(
                f"{self._address}: another process writes it, as this one did not answer for "
                f"{LIFE.seconds} seconds; nothing more is written"
            )

    def give_back(self) -> None:
        """End the lease, so that another process can take it at once."""
        self._replace(self._clock())

    def _replace(self, until: datetime) -> None:
        with self._alone:
            if self._is_lost:
                return
            state = self._state._replace(until=until)
            try:
                self._version = self._bucket.write(self._key, state.encode(), self._version)
                self._state = state
            except ConflictError:
                self._is_lost = True

    def _taken(self) -> Version:
        """Write the object in place of none or of an expired one, and return its version."""
        found = _found(self._bucket, self._key)
        if found is not None:
            holder = self._decoded(found)
            if self._clock() < holder.until:
                raise LockedError(
                    f"{self._address} is being written by {holder.holder}; "
                    f"if that was killed, the lock ends at {holder.until:%H:%M:%S} UTC"
                )
        content = self._state.encode()
        try:
            version = self._bucket.write(self._key, content, found.version if found else None)
        except ConflictError:
            raise LockedError(f"{self._address} is being written by another process") from None
        if not self._bucket.honours_conditions(self._key, content):
            raise ConfigError(
                f"{self._address}: this object store ignores If-None-Match or If-Match, so two processes "
                "could write one run; use a store that takes both"
            )
        return version

    def _decoded(self, found: Found) -> State:
        try:
            return State.decode(found.content)
        except ValueError:
            raise LtrError(
                f"{self._address}/{NAME}: is not a lock of ltr; remove it if no process writes the run"
            ) from None


@contextlib.contextmanager
def held(bucket: Bucket, folder: str) -> Iterator[Lease]:
    """Hold the lease of a folder, which a thread renews; raises as `Lease` does."""
    lease = Lease(bucket, f"{folder}/{NAME}", now)
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(RENEWED.total_seconds()):
            with contextlib.suppress(BucketError):  # the next renewal, or the next write, tries again
                lease.renew()

    keeper = threading.Thread(target=keep, name="ltr-lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        ended.set()
        keeper.join()
        with contextlib.suppress(BucketError):  # then it expires
            lease.give_back()


def is_held(bucket: Bucket, folder: str) -> bool:
    """Return whether a process holds the lease of a folder; True if that cannot be determined."""
    try:
        found = _found(bucket, f"{folder}/{NAME}")
        return found is not None and now() < State.decode(found.content).until
    except (BucketError, ValueError):
        return True


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _found(bucket: Bucket, key: str) -> Found | None:
    with contextlib.suppress(FileNotFoundError):
        return bucket.read(key)
    return None
