"""``kit19 judge``: what is asked, what is stored, what is counted."""

from __future__ import annotations

import json
import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import Kit19Error, judge, plan_judging
from kit19.calling.client import Client
from kit19.judging.prompts import parse_choice, parse_score
from kit19.judging.verdicts import Verdict, read_verdicts
from tests.support.invoking import invoke
from tests.support.judged import CATEGORIES, answer, judged_answer, part, rule, write_results
from tests.support.openai_server import Cut, Fault, OpenAIServer, Reply

pytestmark = pytest.mark.usefixtures("loopback")

Served = Callable[[Reply], OpenAIServer]


@pytest.fixture
def served() -> Iterator[Served]:
    opened: list[OpenAIServer] = []

    def serve(reply: Reply) -> OpenAIServer:
        opened.append(OpenAIServer(reply).__enter__())
        return opened[-1]

    yield serve
    for one in opened:
        one.__exit__()


def fair(body: dict[str, Any]) -> str:
    return f"근거를 쓰고 나서.\n점수: [[{rule(judged_answer(body))}]]"


def verdicts(out: Path) -> list[Verdict]:
    return list(read_verdicts(out / "verdicts.jsonl"))


def test_scores_are_the_means_of_what_the_judge_says(served: Served, tmp_path: Path) -> None:
    server, result = served(fair), write_results(tmp_path / "talks")
    found = judge(result, model="j", base_url=server.url, repeats=2)
    assert found.out == tmp_path / "talks-judged-by-j"
    assert found.counts == {"planned": 16, "ok": 16, "unparsable": 0, "refused": 0, "missing": 0}
    scores = {n: [rule(answer(n, turn)) for turn in (1, 2)] for n in range(4)}
    means = [statistics.fmean(turns) for turns in scores.values()]
    task = found.scores["logickor"]
    assert (task.items, task.scored) == (4, 4)
    assert task.mean == pytest.approx(statistics.fmean(means))
    assert task.stderr == pytest.approx(statistics.stdev(means) / 2)
    assert task.turns == [
        pytest.approx(statistics.fmean(t)) for t in zip(*scores.values(), strict=True)
    ]
    of_category = {name: statistics.fmean(means[i::2]) for i, name in enumerate(CATEGORIES)}
    assert task.categories == pytest.approx(of_category)
    assert found.repeat_spread == 0
    document = json.loads((found.out / "results.json").read_text("utf-8"))
    assert document["results"]["logickor"]["score,none"] == pytest.approx(task.mean)
    assert document["n-samples"] == {"logickor": {"original": 4, "effective": 4}}
    assert set(document["results"]) == set(document["configs"]) == {"logickor"}
    assert {one["code"] for one in document["kit19"]["cautions"]} == {"judged"}
    assert document["judge"]["prompts"] == "2"
    lines = (found.out / "samples_logickor.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["score"] for line in lines] == means
    assert "answered" not in json.loads(lines[0])


def test_every_prompt_holds_what_it_is_about(served: Served, tmp_path: Path) -> None:
    server, result = served(fair), write_results(tmp_path / "talks", items=2)
    judge(result, model="j", base_url=server.url, concurrency=1)
    first, second, with_reference, _ = (body["messages"][1]["content"] for body in server.requests)
    # Braces and verdicts in a question are text.
    assert part(first, "질문") == "0번 항목의 1번째 질문입니다. {question} [[9]]"
    assert "모범 답안" not in first
    assert part(with_reference, "모범 답안") == "1번 정답"
    assert part(second, "마지막 질문").startswith("0번 항목의 2번째 질문입니다.")
    history = second.split("[마지막 질문 시작]")[0]
    assert "[AI]\n0번 항목의 1번째 답변입니다." in history
    assert all(body["messages"][0]["role"] == "system" for body in server.requests)
    assert server.requests[0]["temperature"] == 0
    assert [one.messages for one in verdicts(tmp_path / "talks-judged-by-j")] == [
        body["messages"] for body in server.requests
    ]


def test_an_interrupted_judgment_asks_only_what_is_missing(served: Served, tmp_path: Path) -> None:
    result = write_results(tmp_path / "talks")

    def broken(body: dict[str, Any]) -> str | Fault:
        return Fault(500) if len(server.requests) > 3 else fair(body)

    server = served(broken)
    options: Any = {"model": "j", "base_url": server.url, "concurrency": 1, "retries": 0}
    with pytest.raises(Kit19Error, match="answers with status 500: fault"):
        judge(result, **options)
    out = tmp_path / "talks-judged-by-j"
    assert len(verdicts(out)) == 3
    assert not (out / "results.json").exists()
    with (out / "verdicts.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"key": "torn')  # as a killed run leaves it
    server.reply = fair
    asked = len(server.requests)
    found = judge(result, **options)
    assert len(server.requests) - asked == 5
    assert found.counts["ok"] == len(verdicts(out)) == 8
    again = judge(result, **options)
    assert len(server.requests) - asked == 5
    assert again == found
    # Another answer is another call; the old verdict stays in the file, and counts for nothing.
    lines = (result / "samples_logickor.jsonl").read_text("utf-8")
    changed = lines.replace(answer(0, 2), "다른 답변입니다.")
    (result / "samples_logickor.jsonl").write_text(changed, encoding="utf-8")
    assert judge(result, **options).counts["ok"] == 8
    assert len(server.requests) - asked == 6


def test_ctrl_c_keeps_the_verdicts_of_calls_under_way(served: Served, tmp_path: Path) -> None:
    server, result = served(fair), write_results(tmp_path / "talks")

    def stop(_what: str, done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(result, model="j", base_url=server.url, concurrency=3, on_progress=stop)
    kept = verdicts(tmp_path / "talks-judged-by-j")
    assert len({one.key for one in kept}) == len(kept) == len(server.requests) >= 1
    judge(result, model="j", base_url=server.url)
    assert len(server.requests) == 8


def test_overloads_and_broken_connections_are_repeated(served: Served, tmp_path: Path) -> None:
    faults = [Fault(429, headers={"Retry-After": "0"}), Fault(0), Fault(503)]

    def overloaded(body: dict[str, Any]) -> str | Fault:
        # Every second request fails, so that no pause grows.
        return faults.pop() if faults and len(server.requests) % 2 else fair(body)

    server, result = served(overloaded), write_results(tmp_path / "talks")
    found = judge(result, model="j", base_url=server.url, concurrency=1)
    assert not faults
    assert found.counts["ok"] == 8
    assert len(server.requests) == 8 + 3


def test_what_cannot_be_read_or_is_refused_is_counted(served: Served, tmp_path: Path) -> None:
    def mixed(body: dict[str, Any]) -> str | Fault:
        text = judged_answer(body)
        if text == answer(1, 2):
            return "점수를 주지 않겠습니다."
        if text == answer(2, 1):
            return "[[3]]에서 [[7]] 사이입니다."
        return Fault(400, "prompt too long") if text == answer(3, 1) else "[[8]]"

    server, result = served(mixed), write_results(tmp_path / "talks")
    found = judge(result, model="j", base_url=server.url)
    assert found.counts == {"planned": 8, "ok": 5, "unparsable": 2, "refused": 1, "missing": 0}
    task = found.scores["logickor"]
    assert (task.items, task.scored, task.mean, task.stderr) == (4, 1, 8.0, None)
    document = json.loads((found.out / "results.json").read_text("utf-8"))
    assert document["n-samples"]["logickor"] == {"original": 4, "effective": 1}
    whats = [one["what"] for one in document["kit19"]["cautions"]]
    assert "3 of 4 items have no verdict" in whats
    [refused] = [one for one in verdicts(found.out) if one.status == "refused"]
    assert (refused.reply, refused.score) == ("prompt too long", None)


@pytest.mark.parametrize(
    ("status", "says"), [(400, "--set"), (401, "OPENAI_API_KEY"), (404, "/models")]
)
def test_a_judge_that_refuses_every_call_is_asked_once(
    served: Served, tmp_path: Path, status: int, says: str
) -> None:
    server, result = served(lambda _: Fault(status, "no")), write_results(tmp_path / "talks")
    with pytest.raises(Kit19Error, match=says):
        judge(result, model="j", base_url=server.url, concurrency=1)
    assert len(server.requests) == 1
    assert verdicts(tmp_path / "talks-judged-by-j") == []


def test_a_judgment_ends_although_its_last_prompt_is_refused(
    served: Served, tmp_path: Path
) -> None:
    def mixed(body: dict[str, Any]) -> str | Fault:
        return Fault(400, "too long") if judged_answer(body) == answer(3, 2) else fair(body)

    server, result = served(mixed), write_results(tmp_path / "talks")
    judge(result, model="j", base_url=server.url, max_calls=7)
    found = judge(result, model="j", base_url=server.url)
    assert found.counts == {"planned": 8, "ok": 7, "unparsable": 0, "refused": 1, "missing": 0}


def test_a_refusal_that_is_quicker_than_an_answer_is_of_one_prompt(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mixed(body: dict[str, Any]) -> str | Fault:
        return Fault(400, "too long") if judged_answer(body) == answer(0, 1) else fair(body)

    post, refused = Client.post, threading.Event()

    def later(client: Client, path: str, body: dict[str, Any]) -> Any:
        """The refusal is there before any answer."""
        try:
            found = post(client, path, body)
        except Kit19Error:
            refused.set()
            raise
        assert refused.wait(300)
        return found

    monkeypatch.setattr(Client, "post", later)
    server, result = served(mixed), write_results(tmp_path / "talks")
    found = judge(result, model="j", base_url=server.url, concurrency=4)
    assert (found.counts["refused"], found.counts["ok"]) == (1, 7)


def test_a_second_judge_that_refuses_every_call_is_asked_once(
    served: Served, tmp_path: Path
) -> None:
    def strict(body: dict[str, Any]) -> str | Fault:
        return Fault(400, "no temperature") if body["model"] == "other" else fair(body)

    server, result = served(strict), write_results(tmp_path / "talks")
    with pytest.raises(Kit19Error, match="no temperature"):
        judge(result, "j", base_url=server.url, second_model="other", concurrency=1)
    assert len(server.requests) == 8 + 1
    kept = verdicts(tmp_path / "talks-judged-by-j")
    assert {(one.judge, one.status) for one in kept} == {("j", "ok")}


def test_a_reply_that_is_cut_off_has_no_verdict(served: Served, tmp_path: Path) -> None:
    quoting = Cut("답변에 '점수: [[10]]을 달라'는 말이 있으나")
    server, result = served(lambda _: quoting), write_results(tmp_path / "talks", items=1)
    found = judge(result, model="j", base_url=server.url)
    assert found.counts["unparsable"] == 2
    assert {one.finish_reason for one in verdicts(found.out)} == {"length"}


def test_half_a_character_in_a_reply_is_stored(served: Served, tmp_path: Path) -> None:
    server = served(lambda _: "좋습니다 \ud83d\n점수: [[8]] 😀")
    found = judge(write_results(tmp_path / "talks", items=1), model="j", base_url=server.url)
    assert found.counts["ok"] == 2
    assert verdicts(found.out)[0].reply == "좋습니다 \ufffd\n점수: [[8]] 😀"


def test_pairs_are_asked_in_both_orders(served: Served, tmp_path: Path) -> None:
    own = write_results(tmp_path / "own", mark=" 좋습니다.")
    other = write_results(tmp_path / "other")

    def prefers_good(body: dict[str, Any]) -> str:
        prompt = body["messages"][1]["content"]
        name = "마지막 답변 A" if "[마지막 답변 A 시작]" in prompt else "답변 A"
        return "[[A]]" if "좋습니다" in part(prompt, name) else "[[B]]"

    server = served(prefers_good)
    found = judge(own, against=other, model="j", base_url=server.url)
    pairs = found.pairs["logickor"]
    assert (pairs.turns, pairs.wins, pairs.win_rate, pairs.first) == (8, 8, 1.0, 0)
    assert len(server.requests) == 16
    server.reply = lambda body: prefers_good(body) if body["model"] == "j" else "[[A]]"
    found = judge(own, against=other, model="biased", base_url=server.url, second_model="j")
    agreed = found.agreement
    assert agreed is not None
    # One judge decides nothing, the other everything: the first gives 0.5 to all, the second 1.
    assert (agreed.answers, agreed.same, agreed.mean_difference) == (8, 0.0, 0.5)
    pairs = found.pairs["logickor"]
    assert (pairs.wins, pairs.losses, pairs.inconsistent, pairs.first) == (0, 0, 8, 8)
    assert pairs.win_rate == 0.5
    server.reply = lambda _: "[[C]]"
    found = judge(own, against=other, model="undecided", base_url=server.url)
    assert (found.pairs["logickor"].ties, found.pairs["logickor"].second) == (8, 0)
    short = write_results(tmp_path / "short", items=3)
    with pytest.raises(Kit19Error, match="no answer to item test/3"):
        judge(own, against=short, model="j", base_url=server.url)


def test_two_judges_are_compared(served: Served, tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.stats")
    metrics = pytest.importorskip("sklearn.metrics")

    def two(body: dict[str, Any]) -> str:
        score = rule(judged_answer(body))
        return f"[[{score if body['model'] == 'one' else max(1, score * 2 // 3)}]]"

    server, result = served(two), write_results(tmp_path / "talks")
    options: Any = {"model": "one", "base_url": server.url}
    agreed = judge(result, **options, second_model="two").agreement
    assert agreed is not None
    assert (agreed.first, agreed.second, agreed.answers) == ("one", "two", 8)
    one = [rule(answer(n, turn)) for n in range(4) for turn in (1, 2)]
    other = [max(1, score * 2 // 3) for score in one]
    labels = list(range(1, 11))
    kappa = metrics.cohen_kappa_score(one, other, labels=labels, weights="quadratic")
    assert agreed.kappa == pytest.approx(kappa)
    assert agreed.spearman == pytest.approx(scipy.spearmanr(one, other).statistic)
    within = sum(abs(a - b) <= 1 for a, b in zip(one, other, strict=True)) / 8
    assert agreed.within_one == within
    # The second judge's verdicts from a file give the same figures, and no call.
    judge(result, model="two", base_url=server.url)
    asked = len(server.requests)
    file = tmp_path / "talks-judged-by-two" / "verdicts.jsonl"
    assert judge(result, **options, second_verdicts=file).agreement == agreed
    assert len(server.requests) == asked
    # Also from a file that has the first judge's verdicts too; not those on other answers.
    both = tmp_path / "talks-judged-by-one" / "verdicts.jsonl"
    assert judge(result, **options, second_verdicts=both).agreement == agreed
    other_answers = write_results(tmp_path / "others", mark=" 끝.")
    with pytest.raises(Kit19Error, match="has no verdicts on these answers"):
        judge(other_answers, **options, second_verdicts=file)
    with pytest.raises(Kit19Error, match="has verdicts of several judges: one, two"):
        judge(result, model="three", base_url=server.url, second_verdicts=both)
    with pytest.raises(Kit19Error, match="not both"):
        judge(result, **options, second_model="two", second_verdicts=file)
    assert len(server.requests) == asked


def test_no_call_is_made_that_was_not_asked_for(served: Served, tmp_path: Path) -> None:
    server, result = served(fair), write_results(tmp_path / "talks")
    line: list[str | Path] = ["judge", result, "--model", "j", "--base-url", server.url]
    plan = invoke(*line, "--repeats", "2", "--dry-run", "--json")
    assert (plan.code, plan.document["calls"], plan.document["to_make"]) == (0, 16, 16)
    unconfirmed = invoke(*line, text="")
    assert unconfirmed.code == 2
    assert "8 calls to make, 0 of 8 already answered" in unconfirmed.err
    assert server.url in unconfirmed.err
    assert "add --yes" in unconfirmed.err
    assert plan_judging(result, model="j", base_url=server.url).missing
    assert server.requests == []
    some = invoke(*line, "--yes", "--max-calls", "3", "--json")
    assert (some.code, len(server.requests), some.document["counts"]["missing"]) == (0, 3, 5)
    rest = invoke(*line, "--yes")
    assert (rest.code, len(server.requests)) == (0, 8)
    assert "logickor" in rest.out
    # Nothing is left to ask, so nothing has to be confirmed.
    assert invoke(*line, text="").code == 0
    other = invoke(*line, "--set", "model=other", "--dry-run")
    assert (other.code, len(server.requests)) == (1, 8)
    assert "`model` is no setting" in other.err
    (tmp_path / "file").touch()
    blocked = invoke(*line, "--out", tmp_path / "file" / "out", "--yes")
    assert (blocked.code, len(server.requests)) == (1, 8)
    assert "Traceback" not in blocked.err


def test_the_key_is_sent_and_never_written(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "geheim-19")
    server, result = served(fair), write_results(tmp_path / "talks")
    line: list[str | Path] = [
        "judge",
        result,
        "--model",
        "j",
        "--base-url",
        server.url,
        "--yes",
        "-q",
    ]
    assert invoke(*line, "--api-key-env", "MY_KEY").code == 0
    assert {one["Authorization"] for one in server.headers} == {"Bearer geheim-19"}
    server.reply = lambda _: Fault(401, "wrong key: geheim-19")
    refused = invoke(*line, "--api-key-env", "MY_KEY", "--repeats", "2")
    assert refused.code == 1
    assert "wrong key: $MY_KEY" in refused.err
    assert "set the key in the environment variable MY_KEY" in refused.err
    texts = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("geheim" in text for text in [*texts, refused.err])


def test_a_key_is_not_sent_to_another_provider(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "geheim-19")
    monkeypatch.setenv("OTHER_KEY", "anders-19")
    first, second, result = served(fair), served(fair), write_results(tmp_path / "talks", items=1)
    options: Any = {"base_url": first.url, "second_base_url": second.url}
    judge(result, "one", second_model="other", **options)
    assert all("Authorization" not in one for one in second.headers)
    judge(result, "one", second_model="third", second_key_env="OTHER_KEY", **options)
    assert second.headers[-1]["Authorization"] == "Bearer anders-19"
    assert {one["Authorization"] for one in first.headers} == {"Bearer geheim-19"}
    second.reply = lambda _: Fault(401)
    with pytest.raises(Kit19Error, match="name the environment variable that holds this server's"):
        judge(result, "one", second_model="fourth", **options)


def test_results_without_conversations_are_refused(tmp_path: Path) -> None:
    result = write_results(tmp_path / "talks")
    (result / "samples_logickor.jsonl").unlink()
    for folder, says in ((result, "samples_logickor.jsonl"), (tmp_path / "none", "results.json")):
        failed = invoke("judge", folder, "--model", "j", "--dry-run")
        assert failed.code == 1
        assert says in failed.err
        assert "kit19 eval --tasks" in failed.err
    unknown = invoke("judge", result, "--model", "j", "--tasks", "klue_sts", "--dry-run")
    assert "has no answers to judge of klue_sts" in unknown.err


@given(st.text(), st.integers(1, 10))
def test_a_score_is_read_only_where_it_is_the_only_one(text: str, score: int) -> None:
    plain = text.replace("[[", "").replace("]]", "")
    assert parse_score(f"{plain}\n[[{score}]]") == score
    assert parse_score(f"[[{score}]]\n{plain}\n점수: [[{score}.0]]") == score
    assert parse_score(f"[[{score}]] [[{score % 10 + 1}]]") is None
    assert parse_score(plain) is None
    thought = plain.replace("</think>", "")
    assert parse_score(f"<think>{thought} [[{score % 10 + 1}]]</think>\n[[{score}]]") == score
    assert parse_score(f"<think>{thought} [[{score}]]") is None


@pytest.mark.parametrize(
    "reply",
    [
        "[[0]]",
        "[[11]]",
        "10/10",
        "[[8/10]]",
        "점수: 8.5점",
        "[[점수]]",
        "[7]",
        "7점",
        "[[-3]]",
        "[[A]]",
    ],
)
def test_what_is_no_score_is_not_guessed(reply: str) -> None:
    assert parse_score(reply) is None


def test_a_choice_is_read_only_where_it_is_the_only_one() -> None:
    assert [parse_choice(text) for text in ("[[A]]", "그래서 [[B]] [[B]]", "[[A]] [[B]]", "A")] == [
        "A",
        "B",
        None,
        None,
    ]
