"""A model as bytes: arrays and one JSON document, under a SHA-256, with nothing in them that could run.

    b"anomaly-model 1\\n" + 64 hexadecimal digits + b"\\n" + npz

The npz holds the document as its first array. Its entries carry no time of day, so the same model always gives
the same bytes. The digest inside finds damage; whoever must also rule out a forger compares with a digest kept
elsewhere (the model's row in the database).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import UntrustedArtifact

MAGIC = b"anomaly-model 1\n"
DOCUMENT = "document"
LARGEST = 1 << 30
"""Bytes an artifact may unpack to: a bomb is refused before it is opened."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A packed model and the SHA-256 of its content."""

    data: bytes
    digest: str


def pack(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Artifact:
    """This will pack a JSON document and arrays into one artifact."""
    said = json.dumps(document, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()
    held = io.BytesIO()
    everything: dict[str, Any] = {DOCUMENT: np.frombuffer(said, dtype=np.uint8), **arrays}
    np.savez_compressed(held, **everything)
    digest = hashlib.sha256(held.getvalue()).hexdigest()
    return Artifact(MAGIC + digest.encode() + b"\n" + held.getvalue(), digest)


def unpack(data: bytes, digest: str | None = None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """This will give document and arrays back; raises `UntrustedArtifact` when a byte was altered.

    With `digest`, what is packed must also have that SHA-256.
    """
    head = len(MAGIC) + 65
    if not data.startswith(MAGIC) or len(data) <= head:
        raise UntrustedArtifact("This is not a model artifact.")
    body = data[head:]
    found = hashlib.sha256(body).hexdigest()
    for promised in (data[len(MAGIC) : head - 1].decode("latin-1"), digest or found):
        if not hmac.compare_digest(found.encode(), promised.encode()):
            raise UntrustedArtifact
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    # A digest does not say who made the bytes, and the readers of zip and npy fail in many ways.
    except Exception as error:
        raise UntrustedArtifact("The artifact cannot be read.") from error
    if size > LARGEST:
        raise UntrustedArtifact("The artifact unpacks to more than a model ever needs.")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        document = json.loads(arrays.pop(DOCUMENT).tobytes())
    except Exception as error:
        raise UntrustedArtifact("The artifact cannot be read.") from error
    return document, arrays
