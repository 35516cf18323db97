"""Tests of the license policies for every source.

A new card, or changed terms, must change the table, so that no source is allowed unnoticed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from kit19 import Manifest, explain, load_catalog
from tests.support.invoking import invoke
from tests.support.samples import rows_of

CATALOG = load_catalog()
POLICIES = ("any", "research", "commercial", "redistributable")

# `any` and `research` keep everything: every source may be studied. Under the others what is unclear
# counts as not allowed. NC allows redistribution, though not for commercial ends; ND allows it
# verbatim, which instruction rows are not.
TABLE = """
source          license           share  commercial                    redistributable
apeach          CC-BY-SA-4.0      alike  kept                          kept
belebele        CC-BY-SA-4.0      alike  kept                          kept
click           LicenseRef-none   -      unclear: commercial use       unclear: redistribution
csatqa          LicenseRef-none   -      unclear: commercial use       unclear: redistribution
dmath           MIT               -      kept                          kept
global_mmlu     Apache-2.0        -      kept                          kept
haerae          CC-BY-NC-ND-4.0   -      no: commercial use            no: sharing adapted material
hatescore       Apache-2.0        -      unclear: commercial use       kept
hrm8k           MIT               -      kept                          kept
ifeval_ko       Apache-2.0        -      kept                          kept
kbl             CC-BY-NC-4.0      -      no: commercial use            unclear: sharing adapted material
kite            Apache-2.0        -      kept                          kept
klue            CC-BY-SA-4.0      alike  kept                          kept
kmmlu           CC-BY-ND-4.0      -      no: sharing adapted material  no: sharing adapted material
kmmlu_hard      CC-BY-ND-4.0      -      no: sharing adapted material  no: sharing adapted material
kmwp            CC-BY-NC-SA-4.0   alike  no: commercial use            kept
kobalt          CC-BY-NC-4.0      -      no: commercial use            unclear: sharing adapted material
kobbq           MIT               -      kept                          kept
kobest          CC-BY-SA-4.0      alike  unclear: commercial use       kept
kocommongen_v2  LicenseRef-none   -      unclear: commercial use       unclear: redistribution
komt_bench      LGPL-3.0-only     alike  kept                          kept
kormedmcqa      CC-BY-NC-2.0      -      no: commercial use            unclear: sharing adapted material
kornlu          CC-BY-SA-4.0      alike  kept                          kept
korquad         LicenseRef-BY-ND  -      no: sharing adapted material  no: sharing adapted material
kowikitext      CC-BY-SA-3.0      alike  kept                          kept
lbox_open       CC-BY-NC-4.0      -      no: commercial use            unclear: sharing adapted material
logickor        LicenseRef-none   -      unclear: commercial use       unclear: redistribution
nsmc            CC0-1.0           -      kept                          kept
parakqc         CC-BY-SA-4.0      alike  kept                          kept
pawsx           LicenseRef-PAWS   -      kept                          kept
petitions       CC0-1.0           -      unclear: commercial use       unclear: redistribution
question_pair   MIT               -      kept                          kept
sae4k           CC-BY-SA-4.0      alike  kept                          kept
stylekqc        CC-BY-SA-4.0      alike  kept                          kept
unsmile         CC-BY-NC-ND-4.0   -      no: commercial use            no: sharing adapted material
"""


@dataclass(frozen=True)
class Line:
    """One line of the table: the decision of each policy on a source."""

    license: str
    share_alike: bool
    outcome: dict[str, str]

    def why(self, policy: str) -> str:
        """The beginning of the manifest's reason; empty if the source is kept."""
        said = self.outcome[policy]
        kind, _, use = said.partition(": ")
        words = {
            "kept": "",
            "no": f"{self.license} does not allow {use}",
            "unclear": f"it is unclear whether {use} is allowed",
        }
        return words[kind]


def lines() -> dict[str, Line]:
    found = {}
    for text in TABLE.strip().splitlines()[1:]:
        source, license_, share, commercial, redistributable = re.split(r"\s{2,}", text)
        outcome = dict.fromkeys(("any", "research"), "kept")
        outcome |= {"commercial": commercial, "redistributable": redistributable}
        found[source] = Line(license_, share == "alike", outcome)
    return found


LINES = lines()
SUBSETS = {name: source for name, source in CATALOG.owners.items() if source in LINES}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Manifest]]:
    """Build the sample of every subset on the command line, for each policy."""
    root = tmp_path_factory.mktemp("licenses")
    every = f"subsets={json.dumps(list(SUBSETS))}"
    made = {}
    for policy in POLICIES:
        out = root / policy
        small = ["--set", every, "--set", "cap=5", "--set", "validation=0"]
        told = invoke("build", "sample", "--license", policy, *small, "--out", out, "--json")
        assert told.code == 0, told.err
        made[policy] = out, Manifest.model_validate_json(told.out)
    return made


def test_every_card_is_in_the_table() -> None:
    assert set(LINES) == set(CATALOG.sources), "add a line to TABLE: what each policy decides"
    for name, source in CATALOG.sources.items():
        said = (source.license.spdx, source.license.share_alike)
        assert (LINES[name].license, LINES[name].share_alike) == said, name
    # The other sources hold benchmarks alone.
    assert set(SUBSETS.values()) == {name for name in LINES if CATALOG.source(name).subsets}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("source", sorted(LINES))
def test_a_source_is_kept_or_refused_with_its_reason(
    source: str, policy: str, builds: dict[str, tuple[Path, Manifest]]
) -> None:
    why = LINES[source].why(policy)
    said = CATALOG.source(source).license.forbids(policy)  # type: ignore[arg-type]
    assert said.startswith(why)
    assert bool(said) == bool(why)
    out, manifest = builds[policy]
    for subset in (name for name, owner in SUBSETS.items() if owner == source):
        rows = rows_of(out).filter(subset=subset)
        assert bool(rows.height) == (not why) == (subset in manifest.subsets)
        refused = [(one.status, one.why) for one in manifest.not_built.get(subset, [])]
        assert [status for status, _ in refused] == ["license"] * bool(why)
        assert all(text.startswith(why) for _, text in refused)
        if why:
            told = explain(out, f"{subset}/train/0")
            assert told.why == f"{subset} is excluded by the license policy {policy}"
            assert told.evidence.startswith(why)
        assert (f"**`{subset}` is not built: {why}" in card_of(out)) == bool(why)


def card_of(out: Path) -> str:
    return (out / "README.md").read_text(encoding="utf-8")


def test_commercial_holds_no_row_that_may_not_be_sold(
    builds: dict[str, tuple[Path, Manifest]],
) -> None:
    out, _ = builds["commercial"]
    licenses = set(rows_of(out)["license"])
    assert not [name for name in licenses if re.search(r"-N[CD]\b", name)]
    for source in set(rows_of(out)["source"]):
        terms = CATALOG.source(source).license
        assert (terms.commercial, terms.derivatives) == ("yes", "yes"), source
    # The open build has such rows, so their absence is the policy's work.
    assert [name for name in set(rows_of(builds["any"][0])["license"]) if "-NC" in name]


def test_the_recipe_commercial_is_that_policy(
    builds: dict[str, tuple[Path, Manifest]], tmp_path: Path
) -> None:
    every = f"subsets={json.dumps(list(SUBSETS))}"
    settings = ["data=sample", "cap=5", "validation=0", every]
    asked = [word for one in settings for word in ("--set", one)]
    assert invoke("build", "commercial", *asked, "--out", tmp_path / "out").code == 0
    assert rows_of(tmp_path / "out").equals(rows_of(builds["commercial"][0]))


@pytest.mark.parametrize("policy", POLICIES)
def test_share_alike_reaches_the_card_and_notice_names_everybody(
    policy: str, builds: dict[str, tuple[Path, Manifest]]
) -> None:
    out, _ = builds[policy]
    used = set(rows_of(out)["source"])
    head = yaml.safe_load(card_of(out).split("---")[1])
    alike = {LINES[source].license for source in used if LINES[source].share_alike}
    assert {name.lower() for name in alike} <= set(head["license"])
    assert {"cc-by-sa-4.0", "cc-by-sa-3.0"} <= set(head["license"])
    notice = " ".join((out / "NOTICE").read_text(encoding="utf-8").split())
    for name, source in CATALOG.sources.items():
        terms = source.license
        said = [
            f"({name})",
            source.notice,
            f"License: {terms.spdx} (stated in: {terms.stated_in})",
            terms.doubt,
        ]
        if name in used:
            assert all(" ".join(text.split()) in notice for text in said), name
            share = "yes" if terms.share_alike else "no"
            row = f"| {name} | {terms.spdx} | {terms.commercial} | {terms.redistribution} "
            assert f"{row}| {terms.derivatives} | {share} |" in card_of(out)
        else:
            assert f" ({name}) " not in notice
