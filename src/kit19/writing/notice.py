"""Write NOTICE: the attribution and the license of each source."""

from __future__ import annotations

from kit19.catalog import Catalog
from kit19.core.manifest import Manifest


def notice(manifest: Manifest, catalog: Catalog) -> str:
    """Render NOTICE, with one entry for each source of the build."""
    lines = [
        "This dataset was built by kit19 from the sources below. Each row names its source and its",
        "license. Rows are the sources' own text, set into instruction templates written for kit19",
        "(Apache-2.0).",
    ]
    own = [one["name"] for one in manifest.recipe["extra"] if one["name"] in manifest.subsets]
    if own:
        lines += [f"Rows of {', '.join(own)} stand as the builder brought them, without templates."]
    if manifest.sample:
        lines += [
            "",
            "THIS BUILD IS A SAMPLE: its rows were written by the authors of kit19 in the sources'",
            "file layouts (Apache-2.0). The entries below tell whose layouts they are.",
        ]
    for name in sorted({entry.source for entry in manifest.subsets.values()}):
        source = catalog.source(name)
        origin = source.origins[0]
        lines += ["", f"{source.title} ({name})", f"  {source.notice.strip()}"]
        lines += [f"  Origin: {origin.kind}:{origin.repo} @ {origin.revision or 'unpinned'}"]
        lines += [f"  License: {source.license.spdx} (stated in: {source.license.stated_in})"]
        if source.license.doubt:
            lines += [f"  Doubt: {source.license.doubt.strip()}"]
    return "\n".join(lines) + "\n"
