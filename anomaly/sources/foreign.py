"""Files that are no log, told by their first bytes: refused with the way out, instead of 100 lines in quarantine."""

from __future__ import annotations

from typing import Final

from anomaly.errors import SourceUnavailable

_KINDS: Final = (
    (
        b"\xff\xfe",
        "UTF-16 text, not JSON as Kubernetes writes it",
        "convert it first: iconv -f UTF-16 -t UTF-8",
    ),
    (
        b"\xfe\xff",
        "UTF-16 text, not JSON as Kubernetes writes it",
        "convert it first: iconv -f UTF-16 -t UTF-8",
    ),
    (b"\xfd7zXZ\x00", "compressed with xz, which is not read", "unpack it first: xz -d"),
    (b"BZh", "compressed with bzip2, which is not read", "unpack it first: bzip2 -d"),
    (b"\x04\x22\x4d\x18", "compressed with lz4, which is not read", "unpack it first: lz4 -d"),
    (b"PK\x03\x04", "a zip archive, not a log", "unpack it first: unzip"),
    (b"PK\x05\x06", "an empty zip archive, not a log", "pack it again, as gzip or zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not a log", "unpack it first: 7z x"),
)
"""Magic numbers after the formats' own descriptions; gzip and zstd are read (`streams.py`)."""

_TAR: Final = b"ustar"
_TAR_AT: Final = 257


def refuse_foreign(sample: bytes, name: str) -> None:
    """This will raise SourceUnavailable when a file (unpacked, if gzip or zstd) begins like an archive or text of another kind."""
    for magic, what, hint in _KINDS:
        if sample.startswith(magic):
            raise SourceUnavailable(f"{name} is {what}", hint=hint)
    # POSIX.1-1988 (ustar) and GNU tar have this at the same place of the first header.
    if sample.startswith(_TAR, _TAR_AT):
        raise SourceUnavailable(
            f"{name} is a tar archive, not a log", hint="unpack it first: tar -xf, then ingest the folder"
        )
