"""The parts that cards share: names, licenses, origins."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Card(BaseModel):
    """Base class of all models that are read from YAML. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _relative(path: str) -> str:
    parts = path.split("/")
    if (
        path.startswith("/")
        or "\\" in path
        or ":" in path
        or any(p in ("", ".", "..") for p in parts)
    ):
        raise ValueError("must be a plain relative path with forward slashes")
    return path


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return pattern


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
RelativePath = Annotated[str, AfterValidator(_relative)]
Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
"""A sha256 in hex; shorter if only its beginning was published."""
Allowed = Literal["yes", "no", "unclear"]
LicensePolicy = Literal["any", "research", "commercial", "redistributable"]
"""The use that a build is for. ``any`` and ``research`` allow every source."""
_USES = {
    "commercial": "commercial use",
    "redistribution": "redistribution",
    "derivatives": "sharing adapted material",
}


class License(Card):
    """What the license of a source allows. ``unclear`` if upstream contradicts itself."""

    spdx: str = Field(description="SPDX id, or LicenseRef-… for a text SPDX does not list")
    commercial: Allowed
    redistribution: Allowed
    derivatives: Allowed
    share_alike: bool = False
    stated_in: str = Field(description="where upstream says so")
    doubt: str = Field(default="", description="what upstream leaves unclear, if anything")

    def forbids(self, policy: LicensePolicy) -> str:
        """Return why a policy excludes rows under this license; empty if it allows them.

        Anything unclear counts as not allowed.
        """
        needed = {
            "any": (),
            "research": (),
            "commercial": ("commercial", "derivatives"),
            "redistributable": ("redistribution", "derivatives"),
        }
        for use in needed[policy]:
            allowed = getattr(self, use)
            if allowed == "no":
                return f"{self.spdx} does not allow {_USES[use]}"
            if allowed == "unclear":
                return f"it is unclear whether {_USES[use]} is allowed ({self.doubt.strip()})"
        return ""


class Origin(Card):
    """A place to download the source's files from. Origins are tried in the order of the card."""

    kind: Literal["github", "hub", "release", "bucket", "local"]
    repo: str = Field(description="owner/name, or the bucket; for a `local` file its name")
    revision: str = Field(default="", description="the pinned commit, tag or revision")
    path: str = Field(
        default="", description="folder inside the origin that file paths are relative to"
    )
    strip: str = Field(
        default="", description="prefix of the card's file paths that upstream does not have"
    )
    tables: list[Name] = Field(default=[], description="tables it serves; default: all")
    provider: Literal["gcs", "s3"] | None = Field(
        default=None, description="the provider of a bucket"
    )
    region: str = Field(default="", description="the region of an s3 bucket")
    tried: bool = Field(
        default=False, description="whether kit19's authors have downloaded from it"
    )
    note: str = ""

    @model_validator(mode="after")
    def _bucket_has_provider(self) -> Self:
        if (self.kind == "bucket") != (self.provider is not None):
            raise ValueError("give `provider` exactly for a bucket")
        if self.kind not in {"bucket", "local"} and not self.revision:
            raise ValueError("pin a `revision`")
        return self
