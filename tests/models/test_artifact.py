import io
import json
import zipfile

import numpy as np
import pytest

from models import Model, UntrustedArtifact
from models.artifact import MAGIC, pack, unpack


def test_document_and_arrays_come_back():
    made = pack({"name": "x", "n": 3}, {"a/b": np.arange(5)})
    document, arrays = unpack(made.data, made.digest)
    assert document == {"name": "x", "n": 3}
    assert arrays["a/b"].tolist() == [0, 1, 2, 3, 4]


def test_the_same_content_gives_the_same_bytes():
    assert pack({"n": 1, "m": 2}, {"a": np.ones(3)}) == pack({"m": 2, "n": 1}, {"a": np.ones(3)})


def test_an_artifact_altered_anywhere_is_refused():
    made = pack({"n": 1}, {"a": np.arange(200)})
    for place in range(0, len(made.data), 7):
        altered = bytearray(made.data)
        altered[place] ^= 1
        with pytest.raises(UntrustedArtifact):
            unpack(bytes(altered), made.digest)


def test_another_model_with_a_digest_of_its_own_is_refused():
    ours, forged = pack({"n": 1}, {}), pack({"n": 2}, {})
    with pytest.raises(UntrustedArtifact):
        unpack(forged.data, ours.digest)


@pytest.mark.parametrize("data", [b"", MAGIC, b"PK\x03\x04", MAGIC + b"0" * 64 + b"\n", MAGIC + bytes(300)])
def test_what_is_no_artifact_is_refused(data):
    with pytest.raises(UntrustedArtifact):
        unpack(data)


def test_pickled_objects_are_never_loaded():
    held = io.BytesIO()
    np.savez(held, document=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(UntrustedArtifact, match="cannot be read"):
        unpack(_signed(held.getvalue()))


def test_a_bomb_is_refused_before_it_is_opened():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("document.npy", "w") as out:
        for _ in range(1_100):
            out.write(bytes(1 << 20))
    with pytest.raises(UntrustedArtifact, match="more than a model ever needs"):
        unpack(_signed(held.getvalue()))


def test_a_model_without_one_of_its_parts_is_refused(model):
    document, arrays = unpack(model.artifact.data)
    del arrays["0/baseline/mean"]
    with pytest.raises(UntrustedArtifact, match="lacks a part"):
        Model.load(pack(document, arrays).data)


def test_the_document_is_plain_json(model):
    document, arrays = unpack(model.artifact.data)
    assert json.loads(json.dumps(document)) == document
    assert all(array.dtype.kind in "iuf" for array in arrays.values())


def _signed(body):
    import hashlib

    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body
