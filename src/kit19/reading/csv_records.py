"""Where the records of a large CSV file begin, by one pass over its bytes in native code.

A quoted cell may span lines, so what a line feed means depends on all bytes before it. The pass follows
the reader (the ``csv`` module, strict) byte by byte. A file with misplaced quotes, which the reader
repairs line by line, is not divided.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kit19.core.native import standalone
from kit19.reading.opening import LONGEST, translate_errors

_Bytes = npt.NDArray[np.uint8]
_I64 = npt.NDArray[np.int64]
_READ = 1 << 24
_MARK = b"\xef\xbb\xbf"
_FEED, _RETURN, _QUOTE, _NUL = b'\n\r"\0'
# In a record: before a cell, in a bare one, in a quoted one, behind a quote there. Then: behind a
# carriage return outside quotes and inside, before the line feed; misplaced quotes; other line ends.
_BEGIN, _BARE, _QUOTED, _BEHIND, _OUTSIDE, _INSIDE, _MISPLACED, _ODD_END, _TOO_LONG = range(9)
_WHY = {
    _QUOTED: "has a quote that never closes",
    _MISPLACED: "has misplaced quotes",
    _OUTSIDE: "has lines that end with a carriage return alone, or zero bytes",
    _TOO_LONG: "has a row that is too long",
}
_WHY |= {_INSIDE: _WHY[_OUTSIDE], _ODD_END: _WHY[_OUTSIDE]}


def find_records(path: Path, delimiter: str, places: list[int]) -> tuple[list[int], str]:
    """Find the first record that begins at or behind each of some places.

    Args:
        path: A CSV file in UTF-8 or CP949, whose characters outside ASCII have no bytes of ASCII signs.
        delimiter: What separates its cells: a sign of ASCII.
        places: Places in its bytes, in order.

    Returns:
        Where these records begin, the size of the file if there is none; and why the file cannot be
        divided: "" if it can.

    Raises:
        ReadError: The file cannot be read.
    """
    steps = _steps(ord(delimiter))
    wanted, found = np.array(places, dtype=np.int64), np.empty(len(places), dtype=np.int64)
    state = np.array([_BEGIN, 0, 0], dtype=np.int64)
    begin = 0
    with translate_errors(str(path)), path.open("rb") as stream:
        if stream.read(len(_MARK)) == _MARK:
            begin = len(_MARK)
        stream.seek(begin)
        while data := stream.read(_READ):
            _follow(np.frombuffer(data, np.uint8), begin, steps, state, wanted, found, LONGEST)
            begin += len(data)
            if state[0] >= _MISPLACED:
                break
    how, record, count = state.tolist()
    if how < _MISPLACED and begin - record > LONGEST:
        how = _TOO_LONG
    found[count:] = begin
    return found.tolist(), _WHY.get(how, "")


def _steps(delimiter: int) -> _Bytes:
    """Return the next state for each state and byte, one state after the other."""
    steps = np.empty((_TOO_LONG + 1, 256), dtype=np.uint8)
    steps[[_BEGIN, _BARE]] = _BARE
    steps[_BEGIN, _QUOTE] = _QUOTED
    steps[_QUOTED] = _QUOTED
    steps[_QUOTED, _QUOTE] = _BEHIND
    steps[_BEHIND] = _MISPLACED
    steps[_BEHIND, _QUOTE] = _QUOTED
    outside = [_BEGIN, _BARE, _BEHIND]
    steps[outside, delimiter] = _BEGIN
    steps[outside, _FEED] = _BEGIN
    steps[outside, _RETURN] = _OUTSIDE
    steps[_QUOTED, _RETURN] = _INSIDE
    steps[[*outside, _QUOTED], _NUL] = _ODD_END
    steps[[_OUTSIDE, _INSIDE]] = _ODD_END
    steps[_OUTSIDE, _FEED] = _BEGIN
    steps[_INSIDE, _FEED] = _QUOTED
    for last in (_MISPLACED, _ODD_END, _TOO_LONG):
        steps[last] = last
    return steps.ravel()


@standalone
def _follow(
    data: _Bytes, begin: int, steps: _Bytes, state: _I64, wanted: _I64, found: _I64, longest: int
) -> None:
    """Go over some bytes of a file.

    Args:
        data: The bytes.
        begin: How many are before them.
        steps: What ``_steps`` gives.
        state: The state, where the record begins, and how many places were found; all are changed.
        wanted: The places.
        found: Receives where the records begin.
        longest: The most bytes of a record.
    """
    now, record, count = np.uint64(state[0]), state[1], state[2]
    for at in range(len(data)):
        byte = data[at]
        now = np.uint64(steps[now << np.uint64(8) | np.uint64(byte)])
        if byte == _FEED and now == _BEGIN:
            end = begin + at + 1
            if end - record > longest:
                now = np.uint64(_TOO_LONG)
            record = end
            while count < len(wanted) and wanted[count] <= end:
                found[count] = end
                count += 1
    state[0], state[1], state[2] = now, record, count
