"""The row groups of a parquet file, from its footer, which is in Thrift's compact protocol.

Polars reads any slice of rows, but does not tell where the row groups begin.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, ReadError

_MARK = b"PAR1"
# Fields of the structs FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROW_GROUPS, _COLUMNS, _NUM_ROWS, _METADATA, _DATA_PAGE, _DICTIONARY_PAGE = 4, 1, 3, 3, 9, 11
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


@dataclass(frozen=True)
class RowGroup:
    """A row group of a parquet file.

    Attributes:
        height: The number of its rows.
        begin: Its first byte in the file.
    """

    height: int
    begin: int


def row_groups(path: Path) -> list[RowGroup]:
    """Return the row groups of a parquet file.

    Raises:
        ReadError: It is not a complete parquet file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - 8))
            length, mark = struct.unpack("<I4s", stream.read(8))
            if mark != _MARK or length + 8 > size:
                raise ValueError("it does not end as one")
            stream.seek(size - 8 - length)
            metadata = _Footer(stream.read(length)).value(_STRUCT)
        return [
            RowGroup(int(group[_NUM_ROWS]), min(map(_column_begin, group[_COLUMNS])))
            for group in metadata[_ROW_GROUPS]
        ]
    except OSError as error:
        raise ReadError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    except (ValueError, LookupError, TypeError, RecursionError, struct.error) as error:
        what = f"is not a readable parquet file: {error}"
        raise ReadError(Problem(what, str(path))) from None


def _column_begin(column: dict[int, Any]) -> int:
    metadata = column[_METADATA]
    # Some writers give 0 where there is no dictionary.
    return int(metadata.get(_DICTIONARY_PAGE) or metadata[_DATA_PAGE])


class _Footer:
    """A position in a footer."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def value(self, kind: int) -> Any:
        """Read a value of a kind: a struct is a dict by the numbers of its fields."""
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_I16, _I32, _I64):
            number = self._varint()
            return (number >> 1) ^ -(number & 1)
        if kind in (_LIST, _SET):
            head = self._take(1)[0]
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._element(head & 15) for _ in range(count)]
        if kind == _MAP:
            count = self._varint()
            kinds = self._take(1)[0] if count else 0
            return [(self._element(kinds >> 4), self._element(kinds & 15)) for _ in range(count)]
        if kind == _STRUCT:
            return self._struct()
        sizes = {_BYTE: 1, _DOUBLE: 8}
        return self._take(sizes[kind] if kind in sizes else self._binary_size(kind))

    def _struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._take(1)[0]:
            number = number + (head >> 4) if head >> 4 else self.value(_I16)
            fields[number] = self.value(head & 15)
        return fields

    def _element(self, kind: int) -> Any:
        # Only as an element of a list does a truth value have a byte of its own.
        return self._take(1)[0] == _TRUE if kind in (_TRUE, _FALSE) else self.value(kind)

    def _binary_size(self, kind: int) -> int:
        if kind != _BINARY:
            raise ValueError(f"its footer has a value of the unknown kind {kind}")
        return self._varint()

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._take(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def _take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) < count:
            raise ValueError("its footer ends too early")
        self.at += count
        return found
