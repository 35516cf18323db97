"""The pages of audits, results, comparisons, runs and templates show what the folders have."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import kit19
from kit19.auditing.allowed import read_allowed
from kit19.linting import lint
from kit19.viewing.opening import open_paths
from kit19.viewing.plots import plot
from tests.support.viewing import Client, viewing
from tests.viewing.conftest import Shown


def count(answer: Any) -> int:
    found = re.search(r'role="status">([\d,]+)', answer.html)
    assert found, answer.text
    return int(found[1].replace(",", ""))


def test_folders_are_told_apart_by_what_they_are(shown: Shown, every: Client) -> None:
    kinds = {one.key: one.kind for one in open_paths([shown.root])}
    assert kinds == {
        "audit": "audit",
        "build": "build",
        "comparison": "comparison",
        "run": "run",
        "base": "results",
        "tuned": "results",
    }
    assert [one.key for one in open_paths([shown.audit, shown.audit / "audit.json"])] == ["audit"]
    home = every.get("/").text
    for kind in ("build", "audit", "comparison", "run", "results"):
        assert kind in home
    for key, kind in kinds.items():
        assert every.get(f"/o/{key}/").status == 200, (key, kind)


def test_an_audit_shows_every_hit_beside_its_item(every: Client, shown: Shown) -> None:
    result = json.loads((shown.audit / "audit.json").read_text("utf-8"))
    page = every.get("/o/audit/")
    assert f"{len(result['hits']):,}" in page.text
    assert "kobest_wic" in page.text
    hits = every.get("/o/audit/hits", size=100)
    assert count(hits) == len(result["hits"])
    assert hits.html.count("<article") == len(result["hits"])
    assert hits.html.count('class="shared"') >= 2 * len(result["hits"])
    rules = pl.DataFrame(result["hits"])["rule"].value_counts().rows()
    for rule, number in rules:
        assert count(every.get("/o/audit/hits", rule=rule)) == number
    one = result["hits"][0]
    assert count(every.get("/o/audit/hits", q=one["item"])) >= 1


def test_a_false_hit_is_kept_beside_and_allowed_in_the_next_audit(
    shown: Shown, tmp_path: Path, loopback: None
) -> None:
    shutil.copytree(shown.audit, tmp_path / "audit")
    before = kit19.audit(shown.root / "data", ["kobest_boolq"], data_dir="sample")
    with viewing(tmp_path / "audit") as client:
        answer = client.post("/o/audit/mark", hit=3, mark="yes", why="속담 <b>", back="rule=equal")
        assert (answer.status, answer.headers["location"]) == (
            303,
            "/o/audit/hits?rule=equal#hit-3",
        )
        assert count(client.get("/o/audit/hits", marked="yes")) == 1
        assert client.post("/o/audit/mark", hit=4, mark="yes").status == 303
        assert client.post("/o/audit/mark", hit=4, mark="no").status == 303
        for wrong in ("-1", "x", "99999", "²", "9" * 5_000):
            assert client.post("/o/audit/mark", hit=wrong, mark="yes").status == 404
        listed = client.get("/o/audit/allow.yaml")
        assert listed.body == (tmp_path / "audit.allow.yaml").read_bytes()
        filtered = yaml.safe_load(client.get("/o/audit/hits.yaml", rule="equal").body)
        assert len(filtered["allow"]) == count(client.get("/o/audit/hits", rule="equal"))
    with viewing(tmp_path / "audit", shown.root / "results" / "base") as client:
        assert count(client.get("/o/audit/hits", marked="yes")) == 1  # the marks are still there
        query = {"task": "kobest_boolq", "audited": "compromised", "size": 100}
        every = count(client.get("/o/base/items", **query))
        item = pl.read_parquet(tmp_path / "audit" / "hits.parquet").with_row_index("hit")
        [one, *_] = item.filter(benchmark="kobest_boolq")["item"].unique(maintain_order=True)[2:]
        for hit in item.filter(item=one, benchmark="kobest_boolq")["hit"]:
            client.post("/o/audit/mark", hit=hit, mark="yes")
        assert count(client.get("/o/base/items", **query)) == every - 1
        for hit in item.filter(item=one, benchmark="kobest_boolq")["hit"]:
            client.post("/o/audit/mark", hit=hit, mark="no")
    after = kit19.audit(
        shown.root / "data",
        ["kobest_boolq"],
        data_dir="sample",
        allow=tmp_path / "audit.allow.yaml",
    )
    assert len(after.hits) == len(before.hits) - 1
    assert [one.why for one in after.allowed] == ["속담 <b>"]


def test_two_servers_of_one_audit_lose_no_mark(
    shown: Shown, tmp_path: Path, loopback: None
) -> None:
    shutil.copytree(shown.audit, tmp_path / "audit")
    listed = tmp_path / "audit.allow.yaml"
    with viewing(tmp_path / "audit") as one, viewing(tmp_path / "audit") as other:
        assert one.post("/o/audit/mark", hit=1, mark="yes", why="\0").status == 303
        assert other.post("/o/audit/mark", hit=2, mark="yes", why="mine").status == 303
        for client in (one, other):
            assert count(client.get("/o/audit/hits", marked="yes")) == 2
        assert [pair.why for pair in read_allowed(listed)] == ["\ufffd", "mine"]
        listed.write_text(listed.read_text("utf-8").replace("why: mine", "why: by hand"), "utf-8")
        assert one.post("/o/audit/mark", hit=1, mark="no").status == 303
        assert [pair.why for pair in read_allowed(listed)] == ["by hand"]
        listed.unlink()
        assert count(other.get("/o/audit/hits", marked="no")) > 2


def test_marks_are_made_by_pages_of_the_server_only(every: Client) -> None:
    headers = {"Cookie": f"kit19_view_{every.port}=wrong", "Origin": every.url}
    assert every.raw("/o/audit/mark", headers, "POST", b"hit=1&mark=yes").status == 403
    assert every.get("/o/audit/mark").status == 405


def test_results_have_the_scores_and_intervals_of_the_comparison(
    every: Client, shown: Shown
) -> None:
    compared = json.loads((shown.root / "comparison" / "compare.json").read_text("utf-8"))
    text = every.get("/o/base/").text
    for cell in compared["cells"]:
        if cell["metric"] == "acc":
            low, high = cell["interval"]
            assert f"{100 * cell['score']:.1f}" in text
            assert f"{100 * low:.1f}–{100 * high:.1f}" in text


def test_every_item_is_shown_and_found(every: Client, shown: Shown) -> None:
    lines = (
        (shown.root / "results" / "base" / "samples_kobest_boolq.jsonl")
        .read_text("utf-8")
        .splitlines()
    )
    samples = [json.loads(line) for line in lines]
    page = every.get("/o/base/items", task="kobest_boolq", size=100)
    assert count(page) == len(samples)
    assert all(one["item"] in page.text for one in samples)
    assert all(f"{max(one['loglikelihoods']):.3f}" in page.text for one in samples)
    right = [one for one in samples if one["prediction"] == one["gold"]]
    query = {"task": "kobest_boolq", "outcome": "right"}
    assert count(every.get("/o/base/items", **query)) == len(right)
    beside = {"task": "kobest_boolq", "outcome": "won", "against": "tuned"}
    saved = every.get("/o/base/items.jsonl", **beside).body.splitlines()
    assert len(saved) == count(every.get("/o/base/items", **beside))
    assert all(
        json.loads(line)["other_prediction"] != json.loads(line)["model_gold"] for line in saved
    )
    flat = pl.read_csv(io.BytesIO(every.get("/o/base/items.csv", **query).body))
    assert flat["item"].to_list() == [one["item"] for one in right]
    assert json.loads(flat["model_loglikelihoods"][0]) == right[0]["loglikelihoods"]
    assert count(every.get("/o/base/items", task="kobest_boolq", q=samples[5]["prompt"][:20])) == 1
    assert count(every.get("/o/base/items", task="kobest_boolq", label="예")) == sum(
        one["gold"] for one in samples
    )


def test_two_models_are_compared_on_contaminated_items(every: Client, shown: Shown) -> None:
    def read(name: str) -> dict[str, bool]:
        path = shown.root / "results" / name / "samples_kobest_boolq.jsonl"
        samples = map(json.loads, path.read_text("utf-8").splitlines())
        return {one["item"]: one["prediction"] == one["gold"] for one in samples}

    base, tuned = read("base"), read("tuned")
    won = [item for item in base if tuned[item] and not base[item]]
    query = {"task": "kobest_boolq", "against": "base"}
    page = every.get("/o/tuned/items", **query, outcome="won", audited="compromised")
    assert count(page) == len(won) > 0  # every item of the test split is in the audited file
    assert all(item in page.text for item in won)
    assert count(every.get("/o/tuned/items", **query, audited="clean")) == 0
    assert every.get("/o/tuned/items", task="nothing").status == 404


def test_a_run_shows_its_curves_settings_and_data(every: Client) -> None:
    page = every.get("/o/run/")
    assert page.html.count("<polyline") == 4
    for word in ("training loss 0.5", "held-out loss 1.5", "nli 2.5", "Learning rate 0"):
        assert word in page.text


@pytest.mark.parametrize(
    "points",
    [[(1, 1)], [(1, 0), (2, 0)], [(0, -1e-9), (5, 1e9)], [(3, 2.5)] * 3, [(0, 1e300), (1, -1e300)]],
)
def test_any_curve_can_be_drawn(points: list[tuple[float, float]]) -> None:
    drawn = plot({"a": points})
    places = [float(one) for pair in drawn.lines["a"].split() for one in pair.split(",")]
    assert all(0 <= place <= drawn.width for place in places)
    assert 2 <= len(drawn.ticks_y) <= 8


def test_a_comparison_shows_its_tables(every: Client, shown: Shown) -> None:
    page = every.get("/o/comparison/")
    assert "Differences to base" in page.text
    assert every.get("/o/comparison/charts/../compare.json").status == 404
    assert every.get("/o/comparison/charts/none.svg").status == 404


def test_templates_have_their_shapes_and_rows(every: Client) -> None:
    build = every.site.build(every.site.find("build"))
    page = every.get("/o/build/templates", subset="nsmc")
    for template in build.views["nsmc"].templates.templates:
        shape = build.shapes["nsmc", template.id]
        assert re.search(
            rf"{template.id} {shape['style']} {re.escape(shape['opener'])} ", page.text
        )


def test_a_template_is_rendered_on_any_record(every: Client) -> None:
    page = every.get(
        "/o/build/template", subset="nsmc", id="view_request", record="nsmc/train/9016314"
    )
    assert "사랑스러운 영화다.. 연기가 다들 훌륭하다" in page.text
    following = next(link for link in page.links if "record=nsmc" in link and "template?" in link)
    assert every.get(following).status == 200
    assert "{label.view}" in page.text
    assert every.get("/o/build/template", subset="nsmc", id="none").status == 404


def test_lint_finds_on_the_page_what_the_command_finds(every: Client) -> None:
    page = every.get("/o/build/template", subset="nsmc", id="view_request", lint=1)
    found = [
        one
        for one in lint(["nsmc"], data_dir="sample", partial=True).findings
        if one.template == "view_request"
    ]
    assert ("Lint finds nothing." in page.text) == (not found)


DRAFT = {
    "subset": "nsmc",
    "id": "view_request",
    "record": "nsmc/train/9016314",
    "instruction": "이 평은 좋은 평인가요?",
    "input": "{text}",
    "output": "{label.view} 봤어요.",
}


def draft(client: Client, **texts: str) -> Any:
    return client.post("/o/build/draft", "application/json", **(DRAFT | texts)).document


def test_the_editor_renders_and_writes_nothing(every: Client, shown: Shown) -> None:
    before = sorted(path.stat().st_mtime_ns for path in shown.root.rglob("*"))
    found = draft(every)
    assert found["texts"]["input"] == "사랑스러운 영화다.. 연기가 다들 훌륭하다"
    assert found["texts"]["output"] == "좋게 봤어요."
    assert yaml.safe_load(found["yaml"])[0]["output"] == "{label.view} 봤어요."
    assert "brace" in draft(every, output="{text")["problems"][0]
    assert draft(every, output="")["problems"]
    assert draft(every, output="{none}")["problems"]
    assert any(
        "double_blank" in one for one in draft(every, output="{label.view}  봤어요.")["findings"]
    )
    assert draft(every, record="nsmc/train/none")["problems"]
    plain = every.post("/o/build/draft", **(DRAFT | {"output": "{label.view} <봤어요>."}))
    assert plain.headers["content-type"].startswith("text/html")
    assert "좋게 &lt;봤어요&gt;." in plain.html
    assert "{label.view} &lt;봤어요&gt;.</textarea>" in plain.html
    assert before == sorted(path.stat().st_mtime_ns for path in shown.root.rglob("*"))


def test_what_is_filtered_can_be_saved(every: Client, sample_build: Path) -> None:
    rows = pl.concat(pl.read_parquet(p) for p in sorted((sample_build / "data").iterdir()))
    wanted = rows.filter(pl.col("subset") == "nsmc", pl.col("input").str.contains("영화"))
    query = {"subset": "nsmc", "q": "영화", "page": 2}
    expected = rows.filter(
        pl.col("subset") == "nsmc",
        pl.any_horizontal(pl.col("id", "instruction", "input", "output").str.contains("영화")),
    )
    assert wanted.height < expected.height
    got = {
        "parquet": pl.read_parquet(io.BytesIO(every.get("/o/build/rows.parquet", **query).body)),
        "jsonl": pl.read_ndjson(io.BytesIO(every.get("/o/build/rows.jsonl", **query).body)),
        "csv": pl.read_csv(
            io.BytesIO(every.get("/o/build/rows.csv", **query).body), infer_schema=False
        ),
    }
    assert got["parquet"].equals(expected)
    assert got["jsonl"]["input"].to_list() == expected["input"].to_list()
    assert got["csv"]["id"].to_list() == expected["id"].to_list()
    longest = every.get("/o/build/rows.jsonl", **query, sort="longest").body
    lengths = [
        sum(len(row[name]) for name in ("instruction", "input", "output"))
        for row in map(json.loads, longest.splitlines())
    ]
    assert len(lengths) == expected.height
    assert lengths == sorted(lengths, reverse=True)
    everything = pl.read_parquet(io.BytesIO(every.get("/o/build/rows.parquet").body))
    assert everything["id"].to_list() == rows["id"].to_list()
    assert every.get("/o/build/rows.doc").status == 404
    assert len(every.get("/o/build/dropped.jsonl", reason="empty").body.splitlines()) == 5
