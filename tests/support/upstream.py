"""A second reader of the upstream files, to check kit19's own against.

It is written from the description of the data alone, with the standard library, and imports nothing
of kit19: a mistake that both readers make would have to be made twice. For each subset it gives
``{record id: {field: text}}``, every split, with canonical labels and stripped text.

Empty text is ``""`` here. A field that stands for "nothing" (``NS`` of PAWS-X) is empty too.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from benchmarks.oracle import undo_csv_escaping

Record = Mapping[str, str]
Records = Mapping[str, Record]

GROUP = 10
"""Utterances in one paraphrase group of ParaKQC and of StyleKQC."""


def lines(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def unquoted(path: Path, names: str = "") -> Iterator[dict[str, str]]:
    """Rows of a tab-separated file without quoting; ``names`` where it has no header."""
    rows = [line.split("\t") for line in lines(path)]
    header = names.split() or rows.pop(0)
    for row in rows:
        yield {name: cell.strip() for name, cell in zip(header, row, strict=True)}


def quoted(path: Path, delimiter: str) -> Iterator[dict[str, str]]:
    """Rows of a file in which cells may stand in quotes and hold newlines."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, delimiter=delimiter)
        header = next(rows)
        for row in rows:
            yield {name: cell.strip() for name, cell in zip(header, row, strict=True)}


def apeach(data: Path) -> Records:
    records = {}
    for n, row in enumerate(unquoted(data / "apeach/beep_train_for_hf/labeled/train.tsv")):
        label = "none" if row["hate"] == "none" else "hate"
        records[f"apeach/train/{n}"] = {"text": row["comments"], "label": label}
    for n, row in enumerate(quoted(data / "apeach/APEACH/test.csv", ",")):
        label = {"Default": "none", "Spoiled": "hate"}[row["class"]]
        records[f"apeach/test/{n}"] = {"text": row["text"], "label": label}
    return records


TARGETS = {
    "여성/가족": "women_family",
    "남성": "men",
    "성소수자": "sexual_minority",
    "인종/국적": "race_nationality",
    "연령": "age",
    "지역": "region",
    "종교": "religion",
    "기타 혐오": "other_hate",
}


def unsmile(data: Path) -> Records:
    names = {**TARGETS, "악플/욕설": "insult", "clean": "clean"}
    records = {}
    for split in ("train", "valid"):
        for n, row in enumerate(unquoted(data / f"unsmile/unsmile_{split}_v1.0.tsv")):
            label = ",".join(name for column, name in names.items() if row[column] == "1")
            target = ",".join(name for column, name in TARGETS.items() if row[column] == "1")
            state = "matches" if row["clean"] == "1" else "lacks"
            records[f"unsmile/{split}/{n}"] = {
                "text": row["문장"],
                "label": label,
                "target": target,
                "state": state,
            }
    return records


def hatescore(data: Path) -> Records:
    macro = {"Clean": "clean", "혐오발언": "hate", "단순 악플": "insult"}
    micro = {"None": "clean", **TARGETS, "단순 악플": "insult"}
    order = list(micro.values())
    return {
        f"hatescore/train/{n}": {
            "text": row["comment"],
            "label": macro[row["macrolabel"]],
            "micro": ",".join(
                sorted((micro[name] for name in row["microlabel"].split(", ")), key=order.index)
            ),
        }
        for n, row in enumerate(quoted(data / "hatescore/HateScore.csv", ","))
    }


def kobest_boolq(data: Path) -> Records:
    return {
        f"kobest_boolq/{split}/{row['ID']}": {
            "paragraph": row["Text"],
            "question": row["Question"],
            "label": {"TRUE": "true", "FALSE": "false"}[row["Answer"].upper()],
        }
        for split in ("train", "dev", "test")
        for row in unquoted(data / f"kobest/v1.0/BoolQ/{split}.tsv")
    }


def kobest_copa(data: Path) -> Records:
    return {
        f"kobest_copa/{split}/{row['ID']}": {
            "premise": row["sentence"],
            "question": {"원인": "cause", "결과": "effect"}[row["question"]],
            "alternative_1": row["1"],
            "alternative_2": row["2"],
            "label": row["Answer"],
            "answer": row[row["Answer"]],
        }
        for split in ("train", "dev", "test")
        for row in unquoted(data / f"kobest/v1.0/COPA/{split}.tsv")
    }


def kobest_hellaswag(data: Path) -> Records:
    return {
        f"kobest_hellaswag/{split}/{n}": {
            "context": row["context"],
            **{f"ending_{k}": row[f"choice{k}"] for k in (1, 2, 3, 4)},
            "label": str(int(row["label"]) + 1),
            "ending": row[f"choice{int(row['label']) + 1}"],
        }
        for split in ("train", "dev", "test")
        for n, row in enumerate(quoted(data / f"kobest/v1.0/HellaSwag/{split}.tsv", "\t"))
    }


def kobest_wic(data: Path) -> Records:
    return {
        f"kobest_wic/{split}/{row['ID']}": {
            "word": row["Target"],
            "context_1": row["SENTENCE1"],
            "context_2": row["SENTENCE2"],
            "plain_1": row["SENTENCE1"].replace("[", "").replace("]", ""),
            "plain_2": row["SENTENCE2"].replace("[", "").replace("]", ""),
            "label": {"TRUE": "same", "FALSE": "different"}[row["ANSWER"].upper()],
        }
        for split in ("train", "dev", "test")
        for row in unquoted(data / f"kobest/v1.0/WiC/{split}.tsv")
    }


def kornli(data: Path) -> Records:
    """The human-made splits; the two train files at hand are heads of four and two rows."""
    files = {
        "train/multinli.train.ko:": "multinli.train.ko",
        "train/snli_1.0_train.ko:": "snli_1.0_train.ko",
        "dev/": "xnli.dev.ko",
        "test/": "xnli.test.ko",
    }
    return {
        f"kornli/{prefix}{n}": {
            "premise": row["sentence1"],
            "hypothesis": row["sentence2"],
            "label": row["gold_label"],
        }
        for prefix, stem in files.items()
        for n, row in enumerate(unquoted(data / f"kornlu/KorNLI/{stem}.tsv"))
    }


def points(score: str) -> str:
    """A score as people write it: at most two decimals, a tie to the even one, no zeros at the end."""
    written = str(Decimal(score).quantize(Decimal("0.01"), ROUND_HALF_EVEN))
    return written.rstrip("0").rstrip(".")


DEGREES = (
    "dissimilar",
    "topic_shared",
    "details_shared",
    "roughly_equal",
    "mostly_equal",
    "equal",
)
"""What the scores 0 to 5 mean; a score halfway between two has the upper one's meaning."""


def korsts(data: Path) -> Records:
    return {
        f"korsts/{split}/{n}": {
            "sentence1": row["sentence1"],
            "sentence2": row["sentence2"],
            "score": row["score"],
            "points": points(row["score"]),
            "grade": DEGREES[int(Decimal(row["score"]) + Decimal("0.5"))],
            "label": "similar" if Decimal(row["score"]) >= 3 else "different",
        }
        for split in ("train", "dev", "test")
        for n, row in enumerate(unquoted(data / f"kornlu/KorSTS/sts-{split}.tsv"))
    }


def pawsx(data: Path) -> Records:
    stems = {"train": "translated_train", "dev": "dev_2k", "test": "test_2k"}
    return {
        f"pawsx/{split}/{row['id']}": {
            "sentence1": "" if row["sentence1"] == "NS" else row["sentence1"],
            "sentence2": "" if row["sentence2"] == "NS" else row["sentence2"],
            "label": {"0": "different", "1": "same"}[row["label"]],
        }
        for split, stem in stems.items()
        for row in unquoted(data / f"pawsx/x-final/ko/{stem}.tsv")
    }


FORMAL_ENDING = re.compile(
    r"(요|죠|니다|[습입합됩십갑옵봅줍납랍립킵집칩듭쉽겁랩낍깁]니까|시오|십쇼|시다)([.?!,\s]|$)"
)


class Pairs(Mapping[str, Record]):
    """Pairs of utterances, worked out when they are asked for: there are half a million.

    Args:
        subset: The name that ids begin with.
        splits: For each split the utterances in file order.
        names: The names of each category's numbers.
        by_rule: Whether pairs of two groups follow ParaKQC's rule; else any two groups will do.
    """

    def __init__(
        self,
        subset: str,
        splits: Mapping[str, list[dict[str, str]]],
        names: Mapping[str, list[str]],
        *,
        by_rule: bool,
    ) -> None:
        self._subset, self._splits, self._by_rule = subset, splits, by_rule
        self._names = names

    def __getitem__(self, name: str) -> Record:
        subset, split, key = name.split("/")
        if subset != self._subset:
            raise KeyError(name)
        a, b = (int(number) for number in key.split("-"))
        i, j = a // GROUP, b // GROUP
        in_place = (a % GROUP, b % GROUP) == (j % GROUP, i % GROUP)
        if key != f"{a}-{b}" or a >= b or (self._by_rule and i != j and not in_place):
            raise KeyError(name)
        first, second = self._splits[split][a], self._splits[split][b]
        pair = {"sentence1": first["sentence"], "sentence2": second["sentence"]}
        pair["label"] = "same" if i == j else "different"
        for field, names in self._names.items():
            pair[field], pair[f"{field}2"] = names[int(first[field])], names[int(second[field])]
        if not self._by_rule:
            # The first half of a group is formal; where the ending says otherwise, there is no style.
            for field, place, text in (
                ("style1", a % GROUP, first["sentence"]),
                ("style2", b % GROUP, second["sentence"]),
            ):
                style = "formal" if place < GROUP // 2 else "casual"
                ends_formally = FORMAL_ENDING.search(text) is not None
                pair[field] = style if ends_formally == (style == "formal") else ""
        if self._by_rule:
            alike = 2 * (first["topic"] == second["topic"]) + (first["act"] == second["act"])
            pair["similarity"] = "4" if i == j else str(alike)
        return pair

    def __iter__(self) -> Iterator[str]:
        """Every pair that must be there: all of one group, and those of two groups by the rule."""
        for split, utterances in self._splits.items():
            count = len(utterances)
            for a in range(count):
                for b in range(a + 1, (a // GROUP + 1) * GROUP):
                    yield f"{self._subset}/{split}/{a}-{b}"
            for i in range(count // GROUP if self._by_rule else 0):
                for j in range(i + 1, count // GROUP):
                    yield f"{self._subset}/{split}/{i * GROUP + j % GROUP}-{j * GROUP + i % GROUP}"

    def __len__(self) -> int:
        return sum(1 for _ in self)


ACTS = ["alternative", "wh", "prohibition", "requirement"]


def parakqc(data: Path) -> Pairs:
    names = "topic act sentence"
    utterances = list(unquoted(data / "parakqc/data/paraKQC_v1.txt", names))
    numbers = {"topic": ["mail", "schedule", "smart_home", "weather"], "act": ACTS}
    return Pairs("parakqc", {"train": utterances}, numbers, by_rule=True)


def stylekqc(data: Path) -> Pairs:
    splits = {
        split: [
            {**act, **topic}
            for act, topic in zip(
                unquoted(data / f"stylekqc/act/{split}.tsv"),
                unquoted(data / f"stylekqc/topic/{split}.tsv"),
                strict=True,
            )
        ]
        for split in ("train", "dev", "test")
    }
    topics = "shopping smart_home messenger calendar entertainment weather_science"
    numbers = {"topic": topics.split(), "act": ACTS}
    return Pairs("stylekqc", splits, numbers, by_rule=False)


def question_pair(data: Path) -> Records:
    return {
        f"question_pair/{split}/{n}": {
            "question1": undo_csv_escaping(row["question1"]).strip(),
            "question2": undo_csv_escaping(row["question2"]).strip(),
            "label": {"0": "same", "1": "different"}[row["is_duplicate"]],
        }
        for split in ("train", "validation", "test")
        for n, row in enumerate(unquoted(data / f"question_pair/{split}.txt"))
    }


def nsmc(data: Path) -> Records:
    return {
        f"nsmc/{split}/{row['id']}": {
            "text": undo_csv_escaping(undo_csv_escaping(row["document"])).strip(),
            "label": {"0": "negative", "1": "positive"}[row["label"]],
        }
        for split in ("train", "test")
        for row in unquoted(data / f"nsmc/ratings_{split}.txt")
    }


def sae4k(data: Path) -> Records:
    acts = ["yes_no", "alternative", "wh", "prohibition", "requirement", "strong_requirement"]
    rows = unquoted(data / "sae4k/data/sae4k_v1.txt", "text argument label")
    return {
        f"sae4k/train/{n}": {
            **row,
            "label": acts[int(row["label"])],
            "asks": "matches" if row["label"] in {"0", "1", "2"} else "lacks",
        }
        for n, row in enumerate(rows)
    }


def without_stop(text: str) -> str:
    """Text without the full stop at its end; an ellipsis stays."""
    one = text.endswith(".") and text not in {"", "."} and not text.endswith("..")
    return text[:-1] if one else text


def petitions(data: Path) -> Records:
    return {
        f"petitions/train/{row['petition_idx']}": {
            **{field: row[field].strip() for field in ("content", "title", "category", "status")},
            "heading": without_stop(row["title"].strip()),
        }
        for path in sorted((data / "petitions").glob("petitions_*"))
        for row in map(json.loads, lines(path))
    }


def math(data: Path) -> Records:
    category = {"Arithmetic calculation": "arithmetic"}
    document = json.loads((data / "dmath/dataset/test.json").read_bytes())
    return {
        f"math/test/{key}": {
            "question": row["question_ko"].strip(),
            "answer": row["answer_ko"].strip(),
            "code": row["solution_code_ko"].strip(),
            "category": category.get(row["category"], row["category"].lower()),
        }
        for key, row in document.items()
    }


def kmwp(data: Path) -> Records:
    return {
        f"kmwp/train/{n}": {
            "question": row["problem"],
            "answer": row["answer"],
            "code": row["code"],
        }
        for n, row in enumerate(quoted(data / "kmwp/data/train.csv", ","))
    }


READERS = {
    reader.__name__: reader
    for reader in (
        apeach,
        unsmile,
        hatescore,
        kobest_boolq,
        kobest_copa,
        kornli,
        kobest_hellaswag,
        korsts,
        pawsx,
        parakqc,
        kobest_wic,
        stylekqc,
        question_pair,
        nsmc,
        sae4k,
        petitions,
        math,
        kmwp,
    )
}
"""Every subset whose files are at hand, whole or in part."""

SEVERAL = {"unsmile": {"label", "target"}, "hatescore": {"micro"}}
"""The fields that may have several values, joined by a comma."""
