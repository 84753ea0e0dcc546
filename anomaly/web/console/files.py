"""The static files: read once, served with a hash of them all in their path, so that browsers may keep them for ever.

One hash for the whole tree, because scripts import each other by relative paths.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"
_WORTH_PACKING: Final = 1024


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent; `packed` is its gzip form, empty where that would not pay."""

    media_type: str
    plain: bytes
    packed: bytes


@cache
def files() -> dict[str, File]:
    """This will return every file by its path below `static/`; what has no type here is not served."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and (kind := TYPES.get(path.suffix)):
            plain = path.read_bytes()
            packed = gzip.compress(plain, mtime=0) if len(plain) >= _WORTH_PACKING else b""
            found[path.relative_to(FOLDER).as_posix()] = File(kind, plain, packed)
    return found


@cache
def version() -> str:
    """This will return the hash of all files, by which their paths change when any of them does."""
    digest = hashlib.sha256()
    for name, file in files().items():
        digest.update(f"{name}\0{len(file.plain)}\0".encode() + file.plain)
    return digest.hexdigest()[:12]


def url_of(name: str) -> str:
    """This will return the path of a file. Raises KeyError when there is none."""
    files()[name]
    return f"/static/{version()}/{name}"
