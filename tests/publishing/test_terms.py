"""What may be published, and what a refusal tells one to do."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.building.pipeline import build
from kit19.catalog import BUILT_IN, Catalog, load_catalog
from kit19.catalog.layers import Layers
from kit19.cli import cli
from kit19.core.errors import OutputError
from kit19.core.manifest import Manifest, read_manifest
from kit19.publishing.pushing import push
from kit19.publishing.terms import Accepted, check_terms, rebuild_command
from tests.support.hub_server import HubServer

ANSWERS = st.sampled_from(["yes", "no", "unclear"])
Answer = Literal["yes", "no", "unclear"]


@pytest.fixture(scope="session")
def manifest(sample_build: Path) -> Manifest:
    """A manifest with two subsets, of two sources."""
    sha256 = read_manifest(sample_build)
    kept = {name: sha256.subsets[name] for name in ("nsmc", "kobest_copa")}
    return sha256.model_copy(update={"subsets": kept})


def with_terms(catalog: Catalog, terms: dict[str, tuple[Answer, Answer]]) -> Catalog:
    sources = dict(catalog.sources)
    for name, (redistribution, derivatives) in terms.items():
        changes = {"redistribution": redistribution, "derivatives": derivatives}
        source = sources[name]
        terms_now = source.license.model_copy(update=changes)
        sources[name] = source.model_copy(update={"license": terms_now})
    return replace(catalog, sources=MappingProxyType(sources))


@given(
    terms=st.dictionaries(st.sampled_from(["nsmc", "kobest"]), st.tuples(ANSWERS, ANSWERS)),
    accepted=st.sets(st.sampled_from(["unclear", "sample"])),
)
def test_only_what_every_license_allows_passes(
    manifest: Manifest,
    terms: dict[str, tuple[Answer, Answer]],
    accepted: set[Literal["unclear", "sample"]],
) -> None:
    catalog = with_terms(load_catalog(), terms)  # both say yes where nothing is changed
    answer = {answer for answers in terms.values() for answer in answers}
    refused = "no" in answer or "sample" not in accepted
    refused |= "unclear" in answer and "unclear" not in accepted
    try:
        check_terms(manifest, Path("out"), catalog, accepted)
    except OutputError:
        assert refused
    else:
        assert not refused


def test_a_source_that_forbids_derivatives_is_named_with_the_command_that_avoids_it(
    hub: HubServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    subsets = ["nsmc", "unsmile", "lbox_summarization"]
    build("sample", out, changes={"subsets": subsets, "seed": 5, "formats": ["alpaca"]})
    everything: Collection[Accepted] = ["sample", "unclear", "contaminated"]
    with pytest.raises(OutputError) as caught:
        push(out, "me/rows", accept=everything)
    assert hub.calls == []
    message = str(caught.value)
    assert "unsmile: its license (CC-BY-NC-ND-4.0) forbids sharing derivatives" in message
    assert "lbox" not in message.split("kit19 build", maxsplit=1)[0]
    command = shlex.split(message[message.index("kit19 build") :])
    cli([*command[1:], "--quiet"], standalone_mode=False)
    without = read_manifest(out)
    assert list(without.subsets) == ["nsmc", "lbox_summarization"]
    assert without.recipe["seed"] == 5
    assert without.recipe["formats"] == ["alpaca"]
    assert push(out, "me/rows", accept=everything).outcome == "pushed"


def test_an_unclear_license_is_a_persons_decision(hub: HubServer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build("sample", out, changes={"subsets": ["nsmc", "lbox_summarization"]})
    with pytest.raises(OutputError, match="is unclear about derivatives") as caught:
        push(out, "me/rows", accept=["sample"])
    assert "--accept-unclear" in str(caught.value)
    assert hub.calls == []
    pushed = push(out, "me/rows", accept=["sample", "unclear"])
    assert any(note.startswith("lbox_summarization: its license") for note in pushed.notes)


def test_a_sample_is_not_published_by_accident(hub: HubServer, built: Path) -> None:
    with pytest.raises(OutputError, match="kit19's own sample") as caught:
        push(built, "me/rows")
    assert "--accept-sample" in str(caught.value)
    assert hub.calls == []


def test_a_contaminated_build_is_not_published_by_accident(hub: HubServer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build("paper", out, changes={"data": "sample", "subsets": ["kobest_copa"], "cap": 50})
    with pytest.raises(OutputError, match="benchmark splits are included on purpose") as caught:
        push(out, "me/rows", accept=["sample", "unclear"])
    assert "--accept-contaminated" in str(caught.value)
    assert hub.calls == []
    pushed = push(out, "me/rows", accept=["sample", "contaminated"])
    assert any("benchmark splits" in note for note in pushed.notes)


def test_a_forbidding_license_is_reported_once(manifest: Manifest) -> None:
    catalog = with_terms(load_catalog(), {"nsmc": ("no", "unclear")})
    with pytest.raises(OutputError) as caught:
        check_terms(manifest, Path("out"), catalog, ["sample"])
    assert [problem.where for problem in caught.value.problems] == ["nsmc"]


def test_all_problems_are_reported_at_once(sample_build: Path) -> None:
    with pytest.raises(OutputError) as caught:
        push(sample_build, "me/rows")
    assert [problem.where for problem in caught.value.problems] == [
        "unsmile",
        "petitions",
        "lbox_summarization",
        "",
    ]


def test_the_command_repeats_the_build(tmp_path: Path, sample_dir: Path) -> None:
    catalog = load_catalog()
    out = tmp_path / "out here"
    changes = {"subsets": ["nsmc", "unsmile"], "cap": 40, "about": "another text"}
    # The sample's own folder would be a build of the sample, which needs no option.
    data = Path(shutil.copytree(sample_dir, tmp_path / "data"))
    made = build(
        "kit19",
        out,
        data_dir=data,
        partial=True,
        unverified=True,
        without_benchmarks=catalog.benchmarks,
        changes=changes,
    )
    assert not made.sample
    words = shlex.split(rebuild_command(made, out, catalog, ["unsmile"]))
    assert words[:3] == ["kit19", "build", "kit19"]
    assert {"--unverified", "cap=40"} <= set(words)
    assert words[-2:] == ["--out", str(out)]
    excluded = {words[i + 1] for i, word in enumerate(words) if word == "--exclude"}
    assert excluded == set(catalog.recipe("kit19").subsets) - {"nsmc"}
    benchmarks = [words[i + 1] for i, word in enumerate(words) if word == "--without-benchmark"]
    assert sorted(benchmarks) == sorted(catalog.kept_out(catalog.recipe("kit19")).names)
    cli([*words[1:], "--data-dir", str(data), "--quiet"], standalone_mode=False)
    again = read_manifest(out)
    assert again.subsets["nsmc"] == made.subsets["nsmc"]


def test_subsets_that_a_recipe_does_not_have_are_in_the_command(built: Path) -> None:
    manifest = read_manifest(built)
    recipe = manifest.recipe | {"subsets": ["nsmc", "kmwp"]}
    changed = manifest.model_copy(update={"recipe": recipe})
    words = shlex.split(rebuild_command(changed, Path("out"), load_catalog(), ["kmwp"]))
    assert 'subsets=["nsmc", "kmwp"]' in words
    assert words.count("--exclude") == 1


def test_a_recipe_of_ones_own_is_named_by_its_file(built: Path) -> None:
    manifest = read_manifest(built)
    changed = manifest.model_copy(update={"recipe": manifest.recipe | {"id": "mine"}})
    words = shlex.split(rebuild_command(changed, Path("out"), load_catalog(), ["nsmc"]))
    assert words == ["kit19", "build", "mine.yaml", "--exclude", "nsmc", "--out", "out"]


def test_another_catalog_is_in_the_command(built: Path, tmp_path: Path) -> None:
    other = replace(load_catalog(), layers=Layers((BUILT_IN, tmp_path)))
    words = shlex.split(rebuild_command(read_manifest(built), Path("out"), other, ["nsmc"]))
    assert words[words.index("--catalog") + 1] == str(tmp_path)
    assert str(BUILT_IN) not in words
