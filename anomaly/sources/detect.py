"""Telling JSON lines from lists and from printed objects by the first bytes of a file."""

from __future__ import annotations

from typing import Final

from anomaly.sources.items import KEY_REACH, LIST_KEY
from anomaly.sources.structure import Structure

LINES: Final = 0
ARRAY: Final = 1
OBJECT: Final = 2

_BOM: Final = b"\xef\xbb\xbf"


def list_depth_of(sample: bytes) -> int:
    """This will return how deep the items of a file lie: 0 each line is one, 1 in a bare array, 2 in an object's list.

    Objects printed over several lines count as 2 as well. A first line that is whole decides for lines, and so does one that
    is damaged: lines are the shape in which damage stays small.
    """
    text = sample.removeprefix(_BOM).lstrip()
    if text[:1] not in {b"{", b"["}:
        return LINES
    depth = ARRAY if text[:1] == b"[" else OBJECT
    places, depths = Structure().feed(text)
    closed = next((place for place, after in zip(places, depths, strict=True) if after == 0), -1)
    newline = text.find(b"\n")
    listed = depth == ARRAY or _has_list(text, places, depths, closed)
    if closed >= 0 and not (0 <= newline < closed):
        rest = text[closed + 1 :]
        alone = not rest.strip() or (newline < 0 and depth == OBJECT)
        return depth if alone and (listed or rest.strip()) else LINES
    if listed:
        return depth
    return OBJECT if newline >= 0 and _printed(text[newline:]) else LINES


def _has_list(text: bytes, places: list[int], depths: list[int], closed: int) -> bool:
    return any(
        after == 2
        and text[place : place + 1] == b"["
        and LIST_KEY.search(text, max(0, place - KEY_REACH), place) is not None
        for place, after in zip(places, depths, strict=True)
        if closed < 0 or place < closed
    )


def _printed(rest: bytes) -> bool:
    """A printed object goes on with a key or its end; the line after a damaged line begins with a new object."""
    return rest.lstrip()[:1] in {b'"', b"}"}
