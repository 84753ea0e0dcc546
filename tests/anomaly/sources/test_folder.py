import pytest

from anomaly.errors import SourceUnavailable
from anomaly.sources.files import logs_of
from anomaly.sources.folder import is_log


def listed(folder):
    return [path.removeprefix(f"{folder}/") for path in logs_of(str(folder))]


def test_rotated_logs_come_oldest_first_and_the_live_one_last(tmp_path):
    names = [
        "audit-2026-11-22T23-59-59.120.log.gz",
        "audit-2026-11-23T09-45-06.123.log",
        "audit-2026-11-23T10-45-06.000.log",
        "audit.log",
    ]
    for name in reversed(names):
        (tmp_path / name).touch()
    assert listed(tmp_path) == names


def test_logs_rotated_by_number_come_highest_number_first(tmp_path):
    names = ["audit.log.10.gz", "audit.log.2.zst", "audit.log.1", "audit.log", "other.json", "other.jsonl"]
    for name in sorted(names):
        (tmp_path / name).touch()
    assert listed(tmp_path) == names


def test_folders_are_searched_and_hidden_or_strange_files_skipped(tmp_path):
    for name in (
        "b/audit.log",
        "a/2026/x.jsonl.zst",
        ".git/audit.log",
        "a/.hidden.log",
        "a/notes.txt",
        "000000.gz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert listed(tmp_path) == ["000000.gz", "a/2026/x.jsonl.zst", "b/audit.log"]


def test_a_circle_of_links_does_not_go_on_for_ever(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "audit.log").touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "broken.log").symlink_to(tmp_path / "nowhere")
    assert listed(tmp_path) == ["a/audit.log"]


def test_a_folder_without_logs_is_said_so(tmp_path):
    (tmp_path / "readme.md").touch()
    with pytest.raises(SourceUnavailable, match="no audit log"):
        logs_of(str(tmp_path))


@pytest.mark.parametrize("name", [".log", "audit.tar.gz", "audit.log.bak", "audit", "x.zip", "a.log\n"])
def test_other_names_are_no_logs(name):
    assert not is_log(name)
