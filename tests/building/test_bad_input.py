"""Tests of bad input on the command line: one clear message, exit code 1, no files left."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

from kit19 import OutputError, verify
from tests.support.invoking import Outcome, command_line, invoke, run_process
from tests.support.samples import files_of, sample_of
from tests.support.shop import CARD, Shop, open_shop

FIX_MISSING = "    run `kit19 fetch cafe`, or leave it out with --partial"
FIX_DIFFERS = FIX_MISSING.replace("or ", "or use it as it is with --unverified, or ", 1)
NO_INTEGER = "input should be a valid integer, unable to parse string as an integer"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path / "shop")


def check_refused(done: Outcome, *lines: str, code: int = 1) -> None:
    """Check for one message, no traceback, and an empty stdout."""
    assert "Traceback" not in done.err
    assert done.errors == list(lines)
    assert (done.code, done.out) == (code, "")


def check_nothing_left(shop: Shop) -> None:
    names = {path.name for path in shop.root.iterdir()}
    assert names <= {
        "sources", "templates", "benchmarks", "recipes", "data", ".out.kit19-lock"
    }  # fmt: skip


def test_the_shop_builds_as_it_is(shop: Shop) -> None:
    done = run_process(*shop.arguments("--quiet"))
    assert (done.code, done.err) == (0, "")
    assert "3 rows, 1 subset" in done.out
    verify(shop.out)


def test_a_missing_data_folder(shop: Shop) -> None:
    folder = shop.root / "nowhere"
    done = invoke(
        "build", "cafe", "--catalog-only", shop.root, "--data-dir", folder, "--out", shop.out
    )
    check_refused(
        done,
        f"error: {folder}: there is no such data folder",
        "    run `kit19 fetch`, name another data folder, or set KIT19_DATA_DIR",
    )
    check_nothing_left(shop)


def test_missing_files_are_all_listed(shop: Shop) -> None:
    shop.train.unlink()
    shop.test.unlink()
    check_refused(
        run_process(*shop.arguments()),
        f"error: {shop.train}: is missing (needed for cafe_reviews)",
        FIX_MISSING,
        f"error: {shop.test}: is missing (needed for benchmark cafe_test)",
        "    run `kit19 fetch cafe`, or build without keeping its text out: "
        "--without-benchmark cafe_test",
    )
    check_nothing_left(shop)


def test_without_any_file_there_is_nothing_to_build(shop: Shop) -> None:
    shop.train.unlink()
    done = shop.build("--partial")
    check_refused(
        done,
        f"error: {shop.root / 'data'}: no subset of the recipe has any usable file",
        "error: cafe_reviews: is left out: cafe/train.tsv: it is not there",
    )


def test_without_a_benchmark_the_build_says_so(shop: Shop) -> None:
    shop.test.unlink()
    done = shop.build("--partial", "--without-benchmark", "cafe_test")
    assert done.code == 0
    assert "! not decontaminated against cafe_test" in done.out
    card = (shop.out / "README.md").read_text(encoding="utf-8")
    assert "**Not decontaminated against cafe_test.**" in card
    manifest = verify(shop.out)
    assert manifest.not_decontaminated_against == ["cafe_test"]


def test_a_file_that_differs_from_its_card(shop: Shop) -> None:
    shop.pin()
    text = shop.train.read_text(encoding="utf-8")
    shop.train.write_text(text.replace("조용해서", "시끄러워"), encoding="utf-8")
    strict = shop.build()
    assert strict.errors[0].startswith(f"error: {shop.train}: differs from its card: sha256 ")
    check_refused(strict, strict.errors[0], FIX_DIFFERS)
    done = shop.build("--unverified")
    assert done.code == 0
    assert "! cafe_reviews has rows of unverified files: cafe/train.tsv" in done.out
    assert verify(shop.out).subsets["cafe_reviews"].unverified == ["cafe/train.tsv"]
    card = (shop.out / "README.md").read_text(encoding="utf-8")
    assert "**`cafe_reviews` has rows of unverified files: cafe/train.tsv.**" in card


def test_a_shortened_file_is_detected_by_its_size_and_may_be_skipped(shop: Shop) -> None:
    shop.edit(CARD, "rows: 3}", "rows: 3}\n        - {path: more.tsv, bytes: 500}")
    (shop.data / "more.tsv").write_text("id\tcafe\treview\tscore\n", encoding="utf-8")
    strict = shop.build()
    check_refused(
        strict,
        f"error: {shop.data / 'more.tsv'}: differs from its card: "
        "500 bytes expected, 21 found (needed for cafe_reviews)",
        FIX_DIFFERS,
    )
    done = shop.build("--partial")
    assert done.code == 0
    assert "! cafe_reviews is incomplete: 1 of 2 files" in done.out
    left = verify(shop.out).subsets["cafe_reviews"].incomplete
    assert [(one.name, one.status) for one in left] == [("cafe/more.tsv", "differs")]


def test_a_subset_without_any_file_is_not_built_and_can_be_explained(shop: Shop) -> None:
    for name in (CARD, "templates/cafe_reviews.yaml"):
        text = (shop.root / name).read_text(encoding="utf-8")
        other = shop.root / name.replace("cafe", "bakery")
        text = text.replace("id: cafe\n", "id: bakery\n").replace("cafe_reviews", "bakery_reviews")
        other.write_text(text, encoding="utf-8")
    shop.edit("recipes/cafe.yaml", "[cafe_reviews]", "[cafe_reviews, bakery_reviews]")
    missing = shop.root / "data" / "bakery" / "train.tsv"
    check_refused(
        shop.build(),
        f"error: {missing}: is missing (needed for bakery_reviews)",
        FIX_MISSING.replace("cafe", "bakery"),
    )
    done = shop.build("--partial")
    assert done.code == 0
    told = "bakery_reviews is not built: bakery/train.tsv: it is not there"
    assert f"! {told}" in done.out
    record = "bakery_reviews/train/1"
    explained = invoke("explain", shop.out, record, "--catalog-only", shop.root, "--json")
    found = json.loads(explained.out)
    assert (found["status"], found["why"]) == ("not built", "bakery_reviews had no usable file")
    assert found["evidence"] == "bakery/train.tsv: it is not there"


def test_a_truncated_archive(shop: Shop) -> None:
    archive = shop.pack()
    archive.write_bytes(archive.read_bytes()[:-30])
    done = run_process(*shop.arguments())
    assert done.errors[0].startswith(f"error: {archive}:cafe/train.tsv: the archive is damaged: ")
    check_refused(done, done.errors[0], "    fetch the archive again")
    check_nothing_left(shop)


def test_a_row_that_is_not_utf8_is_quarantined_and_reported(shop: Shop) -> None:
    shop.train.write_bytes(shop.train.read_bytes().replace("다락".encode(), "다락".encode("cp949")))
    done = shop.build("--json", "--quiet")
    assert done.code == 0
    ledger = json.loads(done.out)["subsets"]["cafe_reviews"]["ledger"]
    assert (ledger["read"], ledger["train"]) == (3, 2)
    assert ledger["dropped"] == {"malformed": 1}
    told = invoke("explain", shop.out, "cafe_reviews/train/train:2", "--catalog-only", shop.root)
    assert "evidence: cafe/train.tsv:4: is not UTF-8" in told.out


def test_a_benchmark_row_that_cannot_be_read_stops_the_build(shop: Shop) -> None:
    shop.edit(CARD, "test.tsv, rows: 1", "test.tsv, rows: 2")
    more = "10\t다락\t의자가 편해서 오래 앉아 있었어요.\t1\n".encode()
    spoilt = shop.test.read_bytes().replace("음악".encode(), b"\xff\xfe")
    shop.test.write_bytes(spoilt + more)
    check_refused(shop.build(), f"error: {shop.test}:2: is not UTF-8", "    replace the file")


def test_a_missing_column(shop: Shop) -> None:
    text = shop.train.read_text(encoding="utf-8")
    shop.train.write_text(text.replace("review", "comment", 1), encoding="utf-8")
    check_refused(
        shop.build(),
        f"error: {shop.train}: has no column 'review'",
        "    it has 'id', 'cafe', 'comment', 'score'",
    )


def test_unknown_labels(shop: Shop) -> None:
    lines = shop.train.read_text(encoding="utf-8").splitlines()
    wrong = [lines[0], *(f"{line[:-1]}7" for line in lines[1:])]
    shop.train.write_text("\n".join(wrong) + "\n", encoding="utf-8")
    done = shop.build()
    check_refused(
        done,
        f"error: {shop.train}: none of its 3 rows can be read; the first: label: unknown value '7'",
    )


def test_a_build_that_keeps_no_row_is_no_accident(shop: Shop) -> None:
    # Every training row is a row of the benchmark too, so nothing is left to write.
    leak = shop.test.read_text(encoding="utf-8").split("\t")[-2]
    lines = [f"{n}\t다락 {n}\t{leak}\t1\n" for n in range(3)]
    shop.train.write_text("id\tcafe\treview\tscore\n" + "".join(lines), encoding="utf-8")
    done = shop.build()
    assert done.errors
    check_refused(done, *done.errors)
    assert "no row" in done.err
    check_nothing_left(shop)


@pytest.mark.parametrize("content", [b"", b"\n", b"id\tcafe\treview\tscore\n"])
def test_an_empty_file(content: bytes, shop: Shop) -> None:
    shop.edit(CARD, "path: train.tsv, rows: 3", "path: train.tsv")
    shop.train.write_bytes(content)
    done = shop.build()
    assert done.errors[0].startswith(f"error: {shop.train}: ")
    assert len(done.errors) == 2
    assert (done.code, done.out) == (1, "")


def test_a_folder_where_a_file_should_be(shop: Shop) -> None:
    shop.train.unlink()
    shop.train.mkdir()
    check_refused(
        shop.build(),
        f"error: {shop.train}: differs from its card: it is not a plain file (needed for cafe_reviews)",
        FIX_DIFFERS,
    )


def test_an_out_folder_below_a_file(shop: Shop) -> None:
    (shop.root / "file").write_text("", encoding="utf-8")
    out = shop.root / "file" / "out"
    done = shop.build("--out", out)
    assert done.errors[0].startswith(f"error: {out}: cannot be written")
    check_refused(done, *done.errors)
    assert len(done.errors) <= 2


def test_an_out_that_is_a_file(shop: Shop) -> None:
    shop.out.write_text("mine", encoding="utf-8")
    check_refused(shop.build(), f"error: {shop.out}: is not a folder", "    use another --out")
    assert shop.out.read_text(encoding="utf-8") == "mine"


def test_an_out_folder_that_holds_something_else(shop: Shop) -> None:
    shop.out.mkdir()
    (shop.out / "thesis.txt").write_text("mine", encoding="utf-8")
    check_refused(
        shop.build(),
        f"error: {shop.out}: holds files that kit19 did not write; they will not be replaced",
        "    use another --out, or empty it",
    )
    assert files_of(shop.out) == {"thesis.txt": b"mine"}


def test_an_empty_out_folder_is_welcome(shop: Shop) -> None:
    shop.out.mkdir()
    assert shop.build().code == 0
    verify(shop.out)


@pytest.mark.parametrize("limit", [2_000, 9_000, 40_000])
def test_a_disk_that_takes_no_more(limit: int, tmp_path: Path) -> None:
    # A limit on the size of files simulates a full disk: writing fails in the middle of a file,
    # in parquet files, in exports or in the card, whichever is the first to grow too large.
    out = tmp_path / "out"
    sample_of(out, "math", cap=5)
    before = files_of(out)
    done = subprocess.run(
        command_line(
            *("build", "sample", "--set", "subsets=[nsmc]", "--set", "dedup=exact"),
            *("--format", "jsonl", "--out", out),
        ),
        check=False,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    lines = [line for line in done.stderr.decode().splitlines() if not line.startswith("[")]
    assert b"Traceback" not in done.stderr
    assert lines[0].startswith(f"error: {out}: ")
    assert (done.returncode, done.stdout) == (1, b"")
    assert files_of(out) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"out", ".out.kit19-lock"}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".md"])
def test_a_full_disk_is_called_by_its_name(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device here is always full")
    real = Path.open

    def into_the_full(path: Path, mode: str = "r", **options: Any) -> IO[Any]:
        full = "w" in mode and path.suffix == suffix
        return real(Path("/dev/full") if full else path, mode, **options)

    monkeypatch.setattr(Path, "open", into_the_full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        sample_of(tmp_path / "out", "nsmc", formats=["jsonl"])
    assert caught.value.problems[0].where == str(tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} <= {".out.kit19-lock"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "sample"], "Missing option '--out'"),
        (["build", "sample", "--out", "x", "--fast"], "No such option '--fast'"),
        (["build", "sample", "--out", "x", "--set", "cap"], "'cap' is not key=value"),
        (["build", "sample", "--out", "x", "--set", "cap=[1"], "the value of 'cap=[1' cannot"),
        (["build", "sample", "--out", "x", "--seed", "-1"], "-1 is not in the range"),
        (["build", "sample", "--out", "x", "--format", "csv"], "'csv' is not one of"),
        (["bild", "sample"], "No such command 'bild'"),
        (["verify"], "Missing argument 'FOLDER'"),
        (["explain", "out"], "Missing argument 'RECORD'"),
        (["show"], "Name a SUBSET, or give --from-file"),
    ],
)
def test_a_wrong_command_line_is_misuse(arguments: list[str], message: str) -> None:
    done = invoke(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["sampel"],
            [
                "error: there is no recipe 'sampel'",
                "    did you mean sample, paper? A file of yours must end in .yaml",
            ],
        ),
        (
            ["sample", "--exclude", "nsmcc"],
            ["error: --exclude: there is no subset 'nsmcc'", "    did you mean nsmc, unsmile?"],
        ),
        (
            ["sample", "--set", "capp=3"],
            ["error: --set capp: unknown key 'capp'", "    check the spelling, or remove it"],
        ),
        (
            ["sample", "--set", "cap=many"],
            [
                f"error: --set cap: cap: {NO_INTEGER}",
                "    the value is 'many'",
            ],
        ),
        (
            ["sample", "--without-benchmark", "copa"],
            ["error: there is no benchmark 'copa'", "    did you mean kobest_copa?"],
        ),
        (["mine.yaml"], ["error: mine.yaml: cannot be read: No such file or directory"]),
    ],
)
def test_a_wrong_name_or_value_gets_a_hint(
    arguments: list[str], lines: list[str], tmp_path: Path
) -> None:
    check_refused(invoke("build", *arguments, "--out", tmp_path / "out"), *lines)
    assert list(tmp_path.iterdir()) == []


def test_mistakes_in_a_recipe_of_ones_own(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("id: mine\ntitle: Mine\nextends: sample\ncaps: 5\nviews: 0\n", "utf-8")
    done = invoke("build", recipe, "--out", tmp_path / "out")
    check_refused(
        done,
        f"error: {recipe}:5: views: input should be greater than or equal to 1",
        "    the value is 0",
        f"error: {recipe}:4: unknown key 'caps'",
        "    check the spelling, or remove it",
    )


def test_misuse_in_a_process_of_its_own() -> None:
    done = run_process("build", "sample")
    assert (done.code, done.out) == (2, "")
    assert "Missing option '--out'" in done.err


def test_a_folder_without_permission_is_reported(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o000)
    check_refused(invoke("verify", folder))
