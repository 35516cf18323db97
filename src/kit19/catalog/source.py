"""What a source card may say. One card describes what is published together.

A card holds everything that tells one dataset from another: origin, license, files with their
digests, how the bytes are read, which columns become which fields, and the uses (subsets) that
KIT-19 makes of it. Python knows formats and functions, never a dataset.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Card(BaseModel):
    """Base of all models that are read from YAML: unknown keys are errors."""

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


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
RelativePath = Annotated[str, AfterValidator(_relative)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
"""A sha256 in hex; shorter where only its beginning was ever published."""

Task = Literal[
    "hate_speech_detection",
    "boolean_qa",
    "nli",
    "text_generation",
    "sts",
    "sentiment_analysis",
    "intent_argument_extraction",
    "math",
    "closed_book_qa",
    "summarization",
]
"""The ten task categories of KIT-19."""
AnyTask = Task | Literal["instruction"]
"""A category, or what rows of one's own are that mix them."""

Allowed = Literal["yes", "no", "unclear"]
LicensePolicy = Literal["any", "research", "commercial", "redistributable"]
"""What a build is for. ``any`` and ``research`` keep nothing out: every source may be studied."""

_USES = {
    "commercial": "commercial use",
    "redistribution": "redistribution",
    "derivatives": "sharing adapted material",
}


class License(Card):
    """What the source's license text allows. ``unclear`` where upstream contradicts itself."""

    spdx: str = Field(description="SPDX id, or LicenseRef-… for a text SPDX does not list")
    commercial: Allowed
    redistribution: Allowed
    derivatives: Allowed
    share_alike: bool = False
    stated_in: str = Field(description="where upstream says so")
    doubt: str = Field(default="", description="what does not fit together, if anything")

    def forbids(self, policy: LicensePolicy) -> str:
        """Why rows under this license may not go into a build of that policy; empty if they may.

        The strict reading rules: what is unclear counts as not allowed.
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
    """One place that serves files of the source. Origins are tried in the card's order."""

    kind: Literal["github", "hub", "release", "bucket", "local"]
    repo: str = Field(description="owner/name, or the bucket; of a `local` file its name")
    revision: str = Field(default="", description="commit, tag or revision that is pinned")
    path: str = Field(default="", description="folder inside the origin that file paths start from")
    strip: str = Field(default="", description="beginning of our file paths that upstream lacks")
    tables: list[Name] = Field(default=[], description="tables it serves; default: all")
    provider: Literal["gcs", "s3"] | None = Field(default=None, description="of a bucket")
    region: str = Field(default="", description="of an s3 bucket")
    tried: bool = Field(default=False, description="whether anyone here has fetched from it")
    note: str = ""

    @model_validator(mode="after")
    def _bucket_has_provider(self) -> Self:
        if (self.kind == "bucket") != (self.provider is not None):
            raise ValueError("give `provider` exactly for a bucket")
        if self.kind not in {"bucket", "local"} and not self.revision:
            raise ValueError("pin a `revision`")
        return self


class Archive(Card):
    """The archive that upstream ships a file in; the file may also lie there unpacked."""

    path: RelativePath
    member: str
    bytes: int | None = Field(default=None, gt=0)
    sha256: Digest | None = None
    max_member_bytes: int = Field(default=4 << 30, gt=0, description="refuse a larger member")


class Accepted(Card):
    """A further digest under which a file is taken, and why."""

    sha256: Digest
    why: str


class File(Card):
    """One upstream file. What is known of it is checked before it is read."""

    path: RelativePath
    bytes: int | None = Field(default=None, ge=0)
    sha256: Digest | None = None
    git_blob: Annotated[str, Field(pattern=r"^[0-9a-f]{8,40}$")] | None = None
    rows: int | None = Field(default=None, ge=0)
    archive: Archive | None = None
    accept: list[Accepted] = []
    note: str = ""


class Delimited(Card):
    """Lines of fields. ``quoting: none`` splits at the delimiter and nothing else."""

    format: Literal["delimited"]
    delimiter: Literal["tab", "comma"]
    quoting: Literal["none", "csv"]
    header: bool = True
    names: list[str] = Field(default=[], description="column names of a file without a header")

    @model_validator(mode="after")
    def _names_or_header(self) -> Self:
        if self.header == bool(self.names):
            raise ValueError("give `names` exactly when `header` is false")
        return self


class Json(Card):
    """One JSON document: an array of objects, or (``keyed``) an object of objects."""

    format: Literal["json"]
    keyed: bool = Field(default=False, description="each record's key becomes the column `#key`")


class JsonLines(Card):
    """One JSON object a line."""

    format: Literal["jsonl"]


class Wikitext(Card):
    """``= title =`` articles with ``= = section = =`` lines; columns title, lead, body."""

    format: Literal["wikitext"]
    namespaces: list[str] = Field(default=[], description="pages to leave out: 분류 for 분류:…")


Read = Annotated[Delimited | Json | JsonLines | Wikitext, Field(discriminator="format")]


class Column(Card):
    """How one field of a record comes from an upstream column."""

    source: str = Field(alias="from", description="upstream column; dots reach into objects")
    decode: Literal["csv_once", "csv_twice"] | None = None
    values: dict[str, str] = Field(default={}, description="upstream value → canonical value")
    fold_case: bool = Field(default=False, description="compare `values` without case")
    many: str = Field(default="", description="separator, where a cell holds several values")
    missing: list[str] = Field(default=[], description="texts that stand for 'nothing here'")
    splits: list[str] = Field(default=[], description="only files of these splits have it")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: object) -> object:
        return {"from": data} if isinstance(data, str) else data


class Pick(Card):
    """The field that a categorical field points to."""

    by: str
    among: dict[str, str]


class Threshold(Card):
    """A number turned into one of two values."""

    of: str
    at: float
    below: str
    reached: str


class Derived(Card):
    """A field made from others by exactly one named function of ``reading/derive.py``."""

    pick: Pick | None = None
    threshold: Threshold | None = None
    flags: list[str] = Field(
        default=[], description="fields that hold 0 or 1 → the names that are 1"
    )
    strip_brackets: str | None = None
    trim_number: str | None = None
    first_sentence: str | None = None
    rest_sentences: str | None = Field(default=None, description="what follows the first sentence")

    @model_validator(mode="after")
    def _one_function(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("name exactly one function")
        return self

    @property
    def function(self) -> str:
        """The name of the function."""
        return next(iter(self.model_fields_set))

    @property
    def inputs(self) -> list[str]:
        """The fields that the function reads."""
        if self.pick:
            return [self.pick.by, *self.pick.among.values()]
        if self.threshold:
            return [self.threshold.of]
        return list(self.flags) or [str(getattr(self, self.function))]


class Beside(Card):
    """A twin file with the same records in the same order: its columns join by row number."""

    same: str = Field(description="upstream column that must be equal in both")
    files: dict[Name, list[File]]
    columns: dict[Name, Column]


class Table(Card):
    """Files of one shape: split → files, how they are read, and the fields that come out."""

    read: Read
    files: dict[Name, list[File]]
    beside: Beside | None = None
    columns: dict[Name, Column]
    derive: dict[Name, Derived] = {}
    key: str | None = Field(default=None, description="upstream column that is unique in its split")

    def categories(self) -> dict[str, list[str]]:
        """Canonical values of each categorical field."""
        found = {
            name: list(dict.fromkeys(column.values.values()))
            for name, column in self.all_columns().items()
            if column.values
        }
        for name, derived in self.derive.items():
            if derived.flags:
                found[name] = list(derived.flags)
            elif derived.threshold:
                found[name] = [derived.threshold.below, derived.threshold.reached]
        return found

    def many(self) -> set[str]:
        """Categorical fields that may hold several values at once."""
        cells = {name for name, column in self.all_columns().items() if column.many}
        return cells | {name for name, derived in self.derive.items() if derived.flags}

    def fields(self) -> list[str]:
        """All fields of a record, in the card's order."""
        return [*self.all_columns(), *self.derive]

    def all_columns(self) -> dict[str, Column]:
        """Columns of the table and of its twin."""
        return {**self.columns, **(self.beside.columns if self.beside else {})}

    @model_validator(mode="after")
    def _known_inputs(self) -> Self:
        known = set(self.all_columns())
        for name, derived in self.derive.items():
            unknown = [field for field in derived.inputs if field not in known]
            if unknown:
                raise ValueError(f"`derive.{name}` reads fields that are not there: {unknown}")
            known.add(name)
        return self


class Pairs(Card):
    """Pairs derived from groups of consecutive records, as ParaKQC and StyleKQC define them.

    Every two records of one group make a ``same`` pair. ``different`` pairs come either from the
    authors' rule (``by_group_pair``: for groups i < j, ``groups[i][j % size]`` with
    ``groups[j][i % size]``) or are drawn by hash, one for each ``same`` pair (``drawn``).
    """

    of: str = Field(description="the text field")
    size: int = Field(gt=1, description="records in a group")
    negatives: Literal["by_group_pair", "drawn"]
    alike: list[str] = Field(default=[], description="fields whose equality grades the pair 0–4")
    splits: list[Name] = Field(default=[], description="derive only in these; default: all")


PAIR_FIELDS = ("sentence1", "sentence2", "label", "similarity", "made_by")
"""The fields of a derived pair. ``made_by`` is `authors` or, for drawn negatives, `kit19`."""


class Subset(Card):
    """One use of a source in KIT-19."""

    task: AnyTask
    tables: list[Name] = Field(min_length=1)
    splits: list[Name] = Field(description="only these may become training rows")
    pairs: Pairs | None = None
    require: list[Name] = Field(
        min_length=1, description="a record without one of these is `empty`"
    )
    identity: list[Name] = Field(min_length=1, description="what makes two records the same")
    exposed: list[Name] = Field(min_length=1, description="where benchmark text is looked for")
    label: Name | None = Field(default=None, description="the categorical field that is the answer")
    answer: list[Name] = Field(
        default=[],
        description="fields of the identity that are an answer: near duplicates must agree in them",
    )
    group: Name | None = Field(
        default=None, description="records that share it are held out together"
    )
    short: list[Name] = Field(default=[], description="fields that a particle may follow")
    balance: bool = Field(default=False, description="take equally from each label")
    note: str = ""

    @property
    def answers(self) -> list[str]:
        """What near duplicates must agree in: the label, and what is required beside the identity."""
        beside = [name for name in self.require if name not in self.identity]
        return list(dict.fromkeys([*self.answer, *beside, *([self.label] if self.label else [])]))


class Source(Card):
    """A source card: ``catalog/sources/<id>.yaml``."""

    id: Name
    title: str
    about: str
    license: License
    citation: str
    notice: str = Field(description="the attribution that NOTICE carries")
    origins: list[Origin] = Field(min_length=1)
    access: str = Field(default="", description="what a person must do before it may be downloaded")
    tables: dict[Name, Table] = Field(min_length=1)
    subsets: dict[Name, Subset] = {}

    @model_validator(mode="after")
    def _subsets_fit_tables(self) -> Self:
        for name, subset in self.subsets.items():
            unknown = [table for table in subset.tables if table not in self.tables]
            if unknown:
                raise ValueError(f"subset {name}: no such table: {', '.join(unknown)}")
            splits = self.splits_of(subset)
            missing = [split for split in subset.splits if split not in splits]
            if missing:
                raise ValueError(f"subset {name}: no files for split {', '.join(missing)}")
            for use in ("require", "identity", "exposed", "short"):
                self._check_fields(name, use, getattr(subset, use), subset)
            named = [field for field in (subset.label, subset.group) if field]
            self._check_fields(name, "label/group", named, subset)
        return self

    def _check_fields(self, name: str, use: str, fields: list[str], subset: Subset) -> None:
        for table in subset.tables:
            known = set(self.fields_of(subset, table))
            unknown = [field for field in fields if field not in known]
            if unknown:
                raise ValueError(
                    f"subset {name}: `{use}` names {', '.join(unknown)}, "
                    f"which table {table} does not have ({', '.join(sorted(known))})"
                )

    def splits_of(self, subset: Subset) -> list[str]:
        """All splits of a subset, training or not, in the card's order."""
        found = [split for table in subset.tables for split in self.tables[table].files]
        return list(dict.fromkeys(found))

    def fields_of(self, subset: Subset, table: str) -> list[str]:
        """The fields of a subset's records (of its pairs, where it derives pairs)."""
        if subset.pairs:
            return [*PAIR_FIELDS, *subset.pairs.alike]
        return self.tables[table].fields()

    def categories_of(self, subset: Subset) -> dict[str, list[str]]:
        """Canonical values of each categorical field of a subset."""
        if subset.pairs:
            grades = {"similarity": ["0", "1", "2", "3", "4"]} if subset.pairs.alike else {}
            return {"label": ["same", "different"], **grades}
        merged: dict[str, list[str]] = {}
        for table in subset.tables:
            for field, values in self.tables[table].categories().items():
                merged[field] = list(dict.fromkeys([*merged.get(field, []), *values]))
        return merged

    def many_of(self, subset: Subset) -> set[str]:
        """Categorical fields of a subset that may hold several values."""
        if subset.pairs:
            return set()
        return set().union(*(self.tables[table].many() for table in subset.tables))
