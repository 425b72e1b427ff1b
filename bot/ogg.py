"""Ogg files of Opus sound without what was written beside the sound; RFC 3533 (pages) and RFC 7845 (Opus headers)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

HEAD = struct.Struct("<4sBBQIIIB")
NO_COMMENTS = b"OpusTags" + struct.pack("<II", 0, 0)


@dataclass(frozen=True)
class _Page:
    """`laces` are the sizes of the segments, one below 255 ends a packet; `raw` is the page as it was read."""

    flags: int
    position: int
    stream: int
    number: int
    laces: bytes
    content: bytes
    raw: bytes = b""

    def written(self) -> bytes:
        if self.raw:
            return self.raw
        parts = (b"OggS", 0, self.flags, self.position, self.stream, self.number)
        rest = self.laces + self.content
        bare = HEAD.pack(*parts, 0, len(self.laces)) + rest
        return HEAD.pack(*parts, _checksum(bare), len(self.laces)) + rest


def without_comments(content: bytes) -> bytes:
    """The same sound with empty comments; raises `ValueError` for anything else than one stream of Opus."""
    pages = list(_pages(content))
    if len(pages) < 2 or not pages[0].content.startswith(b"OpusHead") or len({page.stream for page in pages}) > 1:
        raise ValueError("not one stream of Opus")
    # the comments fill whole pages of their own
    end = next((place for place, page in enumerate(pages[1:], 2) if page.laces[-1:] < b"\xff"), len(pages))
    if not pages[1].content.startswith(b"OpusTags"):
        raise ValueError("no comments where they belong")
    comments = replace(pages[1], position=0, laces=bytes([len(NO_COMMENTS)]), content=NO_COMMENTS, raw=b"")
    kept = [pages[0], comments, *pages[end:]]
    return b"".join(
        (page if page.number == number else replace(page, number=number, raw=b"")).written()
        for number, page in enumerate(kept)
    )


def _pages(content: bytes) -> Iterator[_Page]:
    start = at = 0
    while at < len(content):
        if len(content) < at + HEAD.size:
            raise ValueError("a page is cut off")
        magic, version, flags, position, stream, number, _, count = HEAD.unpack_from(content, at)
        laces = content[at + HEAD.size : at + HEAD.size + count]
        begin = at + HEAD.size + count
        at = begin + sum(laces)
        if magic != b"OggS" or version or len(laces) < count or len(content) < at:
            raise ValueError("a page is cut off or no page")
        yield _Page(flags, position, stream, number, laces, content[begin:at], content[start:at])
        start = at


def _checksum(page: bytes) -> int:
    found = 0
    for byte in page:
        found = (found << 8 & 0xFFFFFFFF) ^ _TABLE[found >> 24 ^ byte]
    return found


def _entry(index: int) -> int:
    found = index << 24
    for _ in range(8):
        found = (found << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if found & 0x80000000 else 0)
    return found


_TABLE = [_entry(index) for index in range(256)]
