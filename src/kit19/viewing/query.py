"""What a request asks a page for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from kit19.viewing import links

SIZES = (25, 50, 100)
_MOST_PAGE = 10**7
_MOST_WORDS = 2_000


def number(value: str) -> int:
    """An integer of up to eleven ASCII digits; -1 for anything else."""
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 12 else -1


@dataclass(frozen=True)
class Query:
    """The query of an address.

    Attributes:
        path: The path of the page.
        pairs: The query, in order.
    """

    path: str
    pairs: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, request: Request) -> Query:
        """The query of a request; names that occur in no page are kept, and mean nothing."""
        return cls(request.url.path, cls.parse(request.scope["query_string"].decode("latin-1")))

    @staticmethod
    def parse(query: str) -> list[tuple[str, str]]:
        """The names and values of a query; those without a value are left out."""
        return parse_qsl(query)

    @property
    def text(self) -> str:
        """The query, as an address has it."""
        return links.with_query("", self.pairs).removeprefix("?")

    def one(self, name: str, default: str = "") -> str:
        """The last value of a name."""
        return ([value for key, value in self.pairs if key == name] or [default])[-1]

    def every(self, name: str) -> list[str]:
        """All values of a name, each once."""
        return list(dict.fromkeys(value for key, value in self.pairs if key == name))

    def among(self, name: str, allowed: Sequence[str]) -> str:
        """The value of a name if it is one of those allowed, else the first of them."""
        value = self.one(name)
        return value if value in allowed else allowed[0]

    @property
    def words(self) -> str:
        """The text that is searched for."""
        return self.one("q")[:_MOST_WORDS]

    @property
    def page(self) -> int:
        """The page, from 1."""
        return self.number("page", 1, _MOST_PAGE)

    @property
    def size(self) -> int:
        """Entries on a page."""
        value = self.number("size", 50, max(SIZES))
        return value if value in SIZES else 50

    def number(self, name: str, default: int, most: int) -> int:
        """An integer from 1 to the most; anything else is the default."""
        return min(max(number(self.one(name)), 0), most) or default

    def toggled(self, name: str, value: str) -> str:
        """The address with one value more, or without it if it is there."""
        return links.with_query(self.path, links.toggled(self.pairs, name, value))

    def with_(self, **values: object) -> str:
        """The address with other values."""
        return links.with_query(self.path, links.replaced(self.pairs, **values))

    def as_file(self, kind: str) -> str:
        """The address of all entries of the list, on all its pages, as a file."""
        kept = [pair for pair in self.pairs if pair[0] not in ("page", "size")]
        return links.with_query(f"{self.path}.{kind}", kept)

    def without(self, *names: str) -> str:
        """The address without some names, on its first page."""
        kept = [pair for pair in self.pairs if pair[0] not in (*names, "page")]
        return links.with_query(self.path, kept)


@dataclass(frozen=True)
class Pager:
    """The pages of a list.

    Attributes:
        query: The query of the page.
        total: The number of entries.
    """

    query: Query
    total: int

    @property
    def last(self) -> int:
        """The last page."""
        return max(1, -(-self.total // self.query.size))

    @property
    def page(self) -> int:
        """The page that is shown."""
        return min(self.query.page, self.last)

    @property
    def span(self) -> slice:
        """The entries of the page."""
        begin = (self.page - 1) * self.query.size
        return slice(begin, min(begin + self.query.size, self.total))

    @property
    def first_shown(self) -> int:
        """The number of its first entry, from 1; 0 if there is none."""
        return self.span.start + 1 if self.total else 0

    @property
    def last_shown(self) -> int:
        """The number of its last entry."""
        return int(self.span.stop)

    def to(self, page: int) -> str:
        """The address of another page."""
        return self.query.with_(page=page)
