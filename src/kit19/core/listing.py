"""Results that are several of one kind."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar


class Described(Protocol):
    """A result with a JSON form."""

    def to_dict(self) -> dict[str, Any]:
        """The data as JSON has it."""
        ...


Item = TypeVar("Item", bound=Described)


class Listing(tuple[Item, ...], Generic[Item]):
    """A result of several items: a tuple with a JSON form."""

    __slots__ = ()

    def to_dict(self) -> list[dict[str, Any]]:
        """Every item as JSON has it."""
        return [item.to_dict() for item in self]
