"""Archives that are no log: one sentence with the way out, whatever the file is called."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
import zstandard

from anomaly.errors import SourceUnavailable
from anomaly.sources.files import open_source
from anomaly.testing import raw_event

LOG = raw_event() + b"\n"


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("audit.log", LOG)
    return out.getvalue()


def tarred(form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        about = tarfile.TarInfo("audit.log")
        about.size = len(LOG)
        archive.addfile(about, io.BytesIO(LOG))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(lzma.compress(LOG), "xz", id="xz"),
        pytest.param(bz2.compress(LOG), "bzip2", id="bzip2"),
        pytest.param(zipped(), "zip archive", id="zip"),
        pytest.param(b"\x04\x22\x4d\x18" + bytes(90), "lz4", id="lz4"),
        pytest.param(tarred(tarfile.GNU_FORMAT), "tar archive", id="GNU tar"),
        pytest.param(gzip.compress(tarred(tarfile.PAX_FORMAT)), "tar archive", id="tar.gz"),
        pytest.param(zstandard.compress(tarred(tarfile.USTAR_FORMAT)), "tar archive", id="tar.zst"),
        pytest.param(gzip.compress(lzma.compress(LOG)), "xz", id="xz in gzip"),
    ],
)
def test_an_archive_of_another_kind_is_refused_with_the_way_out(tmp_path, data, words):
    path = tmp_path / "audit.log"
    path.write_bytes(data)
    with pytest.raises(SourceUnavailable, match=words) as refused:
        open_source(path)
    assert refused.value.hint and str(path) in str(refused.value)


def test_a_log_that_speaks_of_archives_is_read(tmp_path):
    path = tmp_path / "audit.log"
    line = raw_event(name="ustar") + b"\n"
    path.write_bytes(line + b" " * (257 - len(line) % 257) + b"PK\x03\x04 BZh ustar\n")
    with open_source(path) as log:
        assert b"".join(block.data for block in log.blocks()) == path.read_bytes()
