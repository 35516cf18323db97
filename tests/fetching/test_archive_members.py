"""Files inside the archives that upstream ships: read in place, bounded, never trusted."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kit19.catalog.tables import Archive
from kit19.core.errors import ReadError
from kit19.fetching.archive import open_member
from tests.support.reading import read, texts

MEMBER = "dump/articles.train"
# Not compressible, so that a changed byte inside is a changed text.
CONTENT = "".join(chr(0xAC00 + n * n * 31 % 11172) for n in range(600)).encode("utf-8")


def zipped(
    path: Path, members: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as bundle:
        for name, content in (members or {MEMBER: CONTENT}).items():
            bundle.writestr(name, content)
    return path


def tarred(path: Path, *members: tarfile.TarInfo, content: bytes = CONTENT) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as bundle:
        for member in members or (tarfile.TarInfo(MEMBER),):
            member.size = len(content) if member.isreg() else 0
            bundle.addfile(member, io.BytesIO(content))
    return path


def member(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(MEMBER)
    info.type, info.linkname = kind, target
    return info


def opened(path: Path, limit: int = 1 << 20) -> bytes:
    archive = Archive(path=path.name, member=MEMBER, max_member_bytes=limit)
    with open_member(path, archive) as stream:
        return stream.read()


def refusal(path: Path, limit: int = 1 << 20) -> str:
    """The message with which an archive is refused, and that nothing else is raised."""
    with pytest.raises(ReadError) as error:
        opened(path, limit)
    message = str(error.value)
    assert message.startswith(f"{path}:{MEMBER}: ")
    return message.removeprefix(f"{path}:{MEMBER}: ")


PACKERS = pytest.mark.parametrize(
    ("name", "pack"),
    [("a.zip", zipped), ("a.tar", tarred), ("a.tar.gz", tarred), ("a.tgz", tarred)],
)
Pack = Callable[[Path], Path]


@PACKERS
def test_a_member_is_read_completely_and_nothing_is_unpacked(
    name: str, pack: Pack, tmp_path: Path
) -> None:
    path = pack(tmp_path / name)
    assert opened(path) == CONTENT
    assert list(tmp_path.iterdir()) == [path]


@PACKERS
def test_a_member_may_be_as_large_as_the_card_allows_and_no_larger(
    name: str, pack: Pack, tmp_path: Path
) -> None:
    path = pack(tmp_path / name)
    assert opened(path, limit=len(CONTENT)) == CONTENT
    assert refusal(path, len(CONTENT) - 1) == "unpacks to more bytes than the card allows"


def test_a_small_archive_that_becomes_huge_is_stopped(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {MEMBER: bytes(50 << 20)})
    assert path.stat().st_size < 100_000
    assert refusal(path, limit=1 << 20) == "unpacks to more bytes than the card allows"


@pytest.mark.parametrize(
    "name", ["../dump/articles.train", "/dump/articles.train", "articles.train"]
)
def test_a_member_under_another_path_is_not_the_member(name: str, tmp_path: Path) -> None:
    message = "the archive has no such member\n    fetch the archive again"
    assert refusal(zipped(tmp_path / "a.zip", {name: CONTENT})) == message
    assert refusal(tarred(tmp_path / "a.tar.gz", tarfile.TarInfo(name))) == message


def test_members_with_paths_that_lead_outside_are_never_written(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    evil = {"../evil": b"x", str(tmp_path / "evil"): b"x", MEMBER: CONTENT}
    assert opened(zipped(folder / "a.zip", evil)) == CONTENT
    assert opened(tarred(folder / "a.tar", *map(tarfile.TarInfo, evil))) == CONTENT
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_a_member_that_is_not_a_plain_file_is_refused(kind: bytes, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    path = tarred(tmp_path / "a.tar", member(kind, str(outside)))
    message = "is not a plain file in the archive\n    fetch the archive again"
    assert refusal(path) == message


def test_a_link_to_another_member_is_not_followed(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", tarfile.TarInfo("real"), member(tarfile.SYMTYPE, "../real"))
    assert refusal(path).startswith("is not a plain file in the archive")


def test_a_zip_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo(MEMBER)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr(info, "../secret")
    assert refusal(tmp_path / "a.zip").startswith("is not a plain file in the archive")


@PACKERS
def test_an_archive_cut_short_is_refused_wherever_it_is_cut(
    name: str, pack: Pack, tmp_path: Path
) -> None:
    whole = pack(tmp_path / name).read_bytes()
    # A tar ends in blocks of zeros (a few bytes, compressed), where a cut takes no text away.
    ends = {"a.zip": len(whole) - 1, "a.tar": whole.find(CONTENT[-9:])}
    end = ends.get(name, len(whole) - 64)
    for cut in {0, 1, 30, *range(0, end, end // 40), end}:
        path = tmp_path / f"{cut}-{name}"
        path.write_bytes(whole[:cut])
        assert "the archive is damaged: " in refusal(path)


def flipped(path: Path, at: int) -> Path:
    """A copy of an archive with one bit changed."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    copy = path.with_name(f"{at}-{path.name}")
    copy.write_bytes(data)
    return copy


def read_or_refused(path: Path) -> bytes | None:
    try:
        return opened(path)
    except ReadError:
        return None


def test_a_damaged_zip_never_gives_other_text(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip")
    # Up to the list of members at the end, whose damage may name the member otherwise.
    size = path.read_bytes().index(b"PK\x01\x02")
    for at in range(0, size, size // 60):
        assert read_or_refused(flipped(path, at)) in (None, CONTENT)


def test_a_damaged_tar_gz_never_gives_other_text(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar.gz")
    size = path.stat().st_size
    for at in range(100, size - 8, size // 60):
        assert read_or_refused(flipped(path, at)) in (None, CONTENT)


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(
            lambda path: zipped(path, method=zipfile.ZIP_LZMA),
            id="lzma",
        ),
        pytest.param(
            lambda path: zipped(path, method=zipfile.ZIP_BZIP2),
            id="bzip2",
        ),
        pytest.param(lambda path: zipped(path, method=zipfile.ZIP_STORED), id="stored"),
    ],
)
def test_damage_is_refused_whatever_the_compression(pack: Pack, tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip")
    middle = path.read_bytes().index(b"PK\x01\x02") // 2
    assert "the archive is damaged: " in refusal(flipped(path, middle))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    path.write_bytes(data)
    refusal(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_file_that_is_not_an_archive_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes("= 글 =\n\n압축하지 않은 글이다.\n".encode() * 50)
    assert refusal(path).startswith("the archive is damaged: ")


def test_records_of_a_zip_are_those_of_the_plain_file(sample_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kowikitext"
    folder.mkdir()
    name = "kowikitext_20200920.train"
    zipped(folder / f"{name}.zip", {name: (sample_dir / "kowikitext" / name).read_bytes()})
    packed = read("kowiki_generation", tmp_path, "train")
    plain = read("kowiki_generation", sample_dir, "train")
    assert packed.frame.equals(plain.frame)
    assert packed.bad == plain.bad


def test_records_of_a_tar_are_those_of_the_plain_files(sample_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "pawsx").mkdir()
    with tarfile.open(tmp_path / "pawsx/x-final.tar.gz", "w:gz") as bundle:
        bundle.add(sample_dir / "pawsx/x-final", "x-final")
    packed, plain = read("pawsx", tmp_path), read("pawsx", sample_dir)
    assert texts(packed, "sentence1", "sentence2", "label") == texts(
        plain, "sentence1", "sentence2", "label"
    )
    assert sorted(packed.frame["split"].unique()) == ["dev", "test", "train"]


def test_a_plain_file_is_taken_before_an_archive(sample_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kowikitext"
    folder.mkdir()
    name = "kowikitext_20200920.train"
    (folder / name).write_bytes((sample_dir / "kowikitext" / name).read_bytes())
    (folder / f"{name}.zip").write_bytes(b"no archive at all")
    assert len(read("kowiki_generation", tmp_path, "train").frame) >= 60
