"""License ids: SPDX ids, which ignore case, and the Hub's ids for the same licenses."""

from __future__ import annotations

import re

# https://huggingface.co/docs/hub/repositories-licenses: a card with another id is refused.
_HUB = """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m
    bigscience-bloom-rail-1.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
    cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
    creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gemma gfdl
    gpl gpl-2.0 gpl-3.0 intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1
    llama3.2 llama3.3 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0
    other pddl postgresql unknown unlicense wtfpl zlib
"""
HUB_IDS = frozenset(_HUB.split())

_SPDX = """
    0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause
    BSD-3-Clause-Clear BSL-1.0 C-UDA-1.0 CC0-1.0 CDLA-Permissive-1.0 CDLA-Permissive-2.0
    CDLA-Sharing-1.0 ECL-2.0 EPL-1.0 EPL-2.0 etalab-2.0 EUPL-1.1 EUPL-1.2 GFDL-1.3-only
    GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC LGPL-2.1-only
    LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later LGPLLR LPPL-1.3c MIT MPL-2.0 MS-PL NCSA
    ODbL-1.0 ODC-By-1.0 OFL-1.1 OSL-3.0 PDDL-1.0 PostgreSQL Unlicense WTFPL Zlib
"""
_SPDX_BY_LOWER = {name.lower(): name for name in _SPDX.split()}
_CREATIVE_COMMONS = re.compile(r"cc-by(-nc)?(-nd|-sa)?-[0-9]\.[0-9]", re.IGNORECASE)
# Hub ids that are neither the SPDX id in lower case nor that without -only or -or-later.
_SPECIAL_HUB_IDS = {
    "c-uda-1.0": "c-uda",
    "gfdl-1.3": "gfdl",
    "lgpllr": "lgpl-lr",
    "odbl-1.0": "odbl",
    "odc-by-1.0": "odc-by",
    "pddl-1.0": "pddl",
}


def spdx_id(name: str) -> str:
    """Normalize the case of an SPDX id. Ids that SPDX does not list are returned unchanged."""
    name = name.strip()
    if _CREATIVE_COMMONS.fullmatch(name):
        return name.upper()
    return _SPDX_BY_LOWER.get(name.lower(), name)


def same_license(one: str, other: str) -> bool:
    """Whether two ids name the same license."""
    return one.strip().lower() == other.strip().lower()


def hub_id(spdx: str) -> str:
    """Return the Hub's id of a license; ``other`` if it has none."""
    name = re.sub(r"-(only|or-later)$", "", spdx.strip().lower())
    name = _SPECIAL_HUB_IDS.get(name, name)
    return name if name in HUB_IDS else "other"


def hub_license(spdx: list[str]) -> dict[str, list[str] | str]:
    """Return the license fields of a dataset card's front matter.

    Args:
        spdx: The licenses, each once.

    Returns:
        ``license``, and ``license_name`` if one of them is ``other``.
    """
    ids = {hub_id(name) for name in spdx}
    fields: dict[str, list[str] | str] = {
        "license": sorted(ids - {"other"}) + sorted(ids & {"other"})
    }
    if "other" in ids:
        name = spdx[0].lower() if len(spdx) == 1 else ""
        is_name = re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)
        fields["license_name"] = name if is_name else "per-row-see-notice"
    return fields
