"""Static files: what they are, how they are served, and that the vendored ones are those of their packages."""

import gzip
import hashlib
import re

import pytest

from anomaly.web.console.files import FOLDER, files, url_of, version
from tests.anomaly.web.asking import ask

ROW = re.compile(r"^\| (\S+) \| .* \| ([0-9a-f]{64}) \|$", re.MULTILINE)


def test_vendored_files_are_what_they_are_said_to_be():
    listed = dict(ROW.findall((FOLDER / "vendor" / "README.md").read_text()))
    there = {path.name for path in (FOLDER / "vendor").iterdir() if path.suffix in {".js", ".css"}}
    assert set(listed) == there
    for name, digest in listed.items():
        assert hashlib.sha256((FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest, name
        assert (FOLDER / "vendor" / f"{name.partition('.')[0]}.LICENSE.txt").read_text().strip()


def test_a_file_may_be_kept_for_ever_under_the_hash_of_the_present_tree(app):
    status, headers, body = ask(app, "GET", url_of("js/console.js"))
    assert (status, headers[b"content-type"]) == (200, b"text/javascript; charset=utf-8")
    assert headers[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert body == (FOLDER / "js" / "console.js").read_bytes()


def test_a_file_of_another_tree_is_answered_but_not_kept(app):
    status, headers, _ = ask(app, "GET", "/static/000000000000/js/console.js")
    assert (status, headers[b"cache-control"]) == (200, b"no-cache")


@pytest.mark.parametrize(
    "name", ["js/none.js", "../web/app.py", "..%2f..%2fapp.py", "vendor/README.md", "", "/etc/passwd", "js"]
)
def test_nothing_else_is_served(app, name):
    assert ask(app, "GET", f"/static/{version()}/{name}")[0] == 404


def test_what_is_long_is_packed_and_the_same():
    found = files()["vendor/htmx.min.js"]
    assert len(found.packed) < len(found.plain) / 2
    assert gzip.decompress(found.packed) == found.plain


def test_nothing_of_ours_holds_an_address_of_another_host():
    for name, file in files().items():
        if not name.startswith("vendor/"):
            text = file.plain.decode().replace("http://www.w3.org/2000/svg", "")
            assert "http:" not in text and "https:" not in text, name
