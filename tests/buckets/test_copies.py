"""Working copies: what is fetched, what is pushed and in which order, and who is told of other writers."""

import errno
import tempfile
from pathlib import Path

import pytest

from ltr.addresses import local
from ltr.buckets import copies
from ltr.buckets.bucket import Bucket, BucketError, ConflictError
from ltr.buckets.copies import copy_of
from tests.buckets.conftest import Afresh, objects
from tests.faults import disk

LAST = ("table", "run")


@pytest.fixture
def folder(bucket: str) -> Path:
    """Working copy of a folder that the bucket lacks."""
    return local(f"{bucket}/a")


def write(folder: Path, **contents: str) -> None:
    """Write files as ltr does, each as a new one."""
    for name, content in contents.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(content)


def kept(bucket: str) -> dict[str, str]:
    """The objects of the folder but the lock, by their names."""
    return {
        name.removeprefix("a/"): content.decode()
        for name, content in objects(bucket).items()
        if name not in ("made", "a/.lock")
    }


def test_what_changes_is_pushed_in_order(bucket: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    with copies.writing(folder, LAST) as push:
        write(folder, run="1", table="1", sub__b="1", z="1")
        put = Bucket.write
        monkeypatch.setattr(
            Bucket, "write", lambda *words: written.append(Path(words[1]).name) or put(*words)
        )
        push()
        assert written == ["b", "z", "table", "run"]
        assert kept(bucket) == {"run": "1", "table": "1", "sub/b": "1", "z": "1"}
        write(folder, run="2", z="1")
        (folder / "sub" / "b").unlink()
        write(folder, **{".x.tmp": "half"})
        push()
        assert written[4:] == ["z", "run", ".lock"]  # the lock is asked for before something is removed
        assert kept(bucket) == {"run": "2", "table": "1", "z": "1"}
        push()
        assert written[7:] == []


def test_what_did_not_reach_the_bucket_is_given_up(
    bucket: str, folder: Path, afresh: Afresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    with copies.writing(folder, LAST) as push:
        write(folder, run="1", table="1")
        push()
        write(folder, run="2", other="2")
    with copies.writing(folder, LAST) as push:
        assert [(folder / name).exists() for name in ("run", "table", "other")] == [True, True, False]
        assert (folder / "run").read_text() == "1"
        push()
    assert kept(bucket) == {"run": "1", "table": "1"}


def test_nothing_is_fetched_over_what_is_being_written(bucket: str, folder: Path) -> None:
    with copies.writing(folder, LAST) as push:
        write(folder, run="1")
        push()
        write(folder, run="2", other="2")
        copy_of(folder).fetch(lambda _: True)
        assert copy_of(folder).fetch_one("run")
        push()
    assert kept(bucket) == {"run": "2", "other": "2"}


def test_a_reader_fetches_what_it_asks_for(bucket: str, folder: Path, afresh: Afresh) -> None:
    with copies.writing(folder, LAST) as push:
        write(folder, run="1", sub__b="1", gone="1")
        push()
        write(folder, run="2")
        (folder / "gone").unlink()
        earlier = folder
        afresh()
        later = local(f"{bucket}/a")
        copy_of(later).fetch(lambda name: "/" not in name)
        assert later != earlier
        assert sorted(path.name for path in later.iterdir()) == ["gone", "run", "sub"]
        assert [*(later / "sub").iterdir()] == []
        push()
    copy_of(later).fetch(lambda name: "/" not in name)
    assert {path.name for path in later.iterdir() if path.is_file()} == {"run"}
    assert (later / "run").read_text() == "2"


def test_another_writer_is_noticed_by_each_file(bucket: str, folder: Path, tmp_path: Path) -> None:
    with copies.writing(folder, LAST) as push:
        write(folder, run="1", table="1")
        push()
        (other := tmp_path / "other").write_text("of another")
        Bucket(bucket).overwrite(f"{copy_of(folder).key}/table", other)
        write(folder, run="2", table="2")
        with pytest.raises(ConflictError, match=r"/a/table: another process has written it$"):
            push()
    assert kept(bucket) == {"run": "1", "table": "of another"}


def test_a_bucket_that_does_not_answer_is_waited_for_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unanswered(bucket: Bucket, *_: object) -> None:
        asked.append(bucket._is_patient)
        raise BucketError(f"s3://{bucket.name}", "does not answer")

    with copies.writing(folder, LAST) as push:
        write(folder, run="1")
        with monkeypatch.context() as patch:
            patch.setattr(Bucket, "_write", unanswered)
            for _ in range(2):
                with pytest.raises(BucketError):
                    push()
    assert asked == [True, False]


@pytest.mark.parametrize(("number", "kind"), [(1, "open"), (2, "write")])
def test_a_full_disk_names_the_folder_for_temporary_files(
    number: int, kind: str, bucket: str, folder: Path
) -> None:
    Bucket(bucket).write(f"{bucket.split('/', 3)[3]}/a/b", b"content", None)
    folder.mkdir(parents=True)
    with disk(folder, number, True, errno.ENOSPC) as failing, pytest.raises(OSError) as raised:  # noqa: PT011
        copy_of(folder).fetch_one("b")
    assert failing.operations[number][0] == kind
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, f"TMPDIR={tempfile.gettempdir()}")
