"""A catalog may add kinds of tasks, without any Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kit19 import load_catalog
from kit19.core.errors import CatalogError
from tests.support.shop import CARD, Shop, open_shop

CATEGORIES = {
    *("hate_speech_detection", "boolean_qa", "nli", "text_generation", "sts"),
    *("sentiment_analysis", "intent_argument_extraction", "math"),
    *("closed_book_qa", "summarization"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path / "my")


def front_matter(card: Path) -> dict[str, object]:
    _, text, _ = card.read_text(encoding="utf-8").split("---\n", 2)
    return dict(yaml.safe_load(text))


def test_kit19_has_its_ten_categories_and_one_for_rows_that_mix_them() -> None:
    assert set(load_catalog().tasks) == {*CATEGORIES, "instruction"}


def test_a_task_of_a_users_catalog_reaches_rows_and_dataset_card(shop: Shop) -> None:
    task = "rating: {label: stars of a café, hub: tabular-regression}\n"
    (shop.root / "tasks.yaml").write_text(task, encoding="utf-8")
    shop.edit(CARD, "task: sentiment_analysis", "task: rating")
    assert shop.build().code == 0
    readme = shop.out / "README.md"
    assert "- `rating`: stars of a café" in readme.read_text(encoding="utf-8")
    assert front_matter(readme)["task_categories"] == ["tabular-regression", "text-generation"]


def test_a_task_with_the_id_of_one_of_kit19s_replaces_it(shop: Shop) -> None:
    task = "sentiment_analysis: {label: what guests think, hub: token-classification}\n"
    (shop.root / "tasks.yaml").write_text(task, encoding="utf-8")
    tasks = load_catalog(shop.root).tasks
    assert tasks["sentiment_analysis"].hub == "token-classification"
    assert set(tasks) == set(load_catalog().tasks)


def test_an_unknown_task_is_one_problem_at_its_line_with_the_nearest_names(shop: Shop) -> None:
    shop.edit(CARD, "task: sentiment_analysis", "task: sentimant_analysis")
    with pytest.raises(CatalogError) as error:
        load_catalog(shop.root)
    [problem] = error.value.problems
    assert problem.where == f"{shop.root / CARD}:24"
    assert problem.what == "subsets.cafe_reviews.task: there is no task 'sentimant_analysis'"
    assert problem.fix.startswith("did you mean sentiment_analysis?")
