"""The icon, drawn here and written as PNG and as favicon.ico: a phone with one message on it.

It must never become a file that nobody can review.
"""

from __future__ import annotations

import struct
import zlib

_DRAWING = """
................
...##########...
..############..
..##........##..
..##.######.##..
..##.#....#.##..
..##.#.##.#.##..
..##.######.##..
..##...#....##..
..##........##..
..##........##..
..##........##..
..############..
..#####..#####..
...##########...
................
"""
_COLOURS = {".": (255, 255, 255), "#": (0, 82, 255)}
_SCALE = 12
SIDE_PX = 16 * _SCALE

_PALETTE_COLOURS = 3
_BITS = 8


def png() -> bytes:
    """Return the icon as PNG (a signature, then chunks with their sums), with a palette of two colours."""
    index = {mark: number for number, mark in enumerate(_COLOURS)}
    rows = [bytes(index[mark] for mark in line for _ in range(_SCALE)) for line in _DRAWING.split()]
    pixels = b"".join(b"\0" + row for row in rows for _ in range(_SCALE))
    header = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, _BITS, _PALETTE_COLOURS, 0, 0, 0)
    palette = bytes(value for colour in _COLOURS.values() for value in colour)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def ico() -> bytes:
    """Return the same in the frame that browsers expect of /favicon.ico: a directory of one entry, then the PNG."""
    image = png()
    directory = struct.pack("<HHH", 0, 1, 1)
    entry = struct.pack("<BBBBHHII", SIDE_PX, SIDE_PX, 0, 0, 1, _BITS, len(image), 22)
    return directory + entry + image


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
