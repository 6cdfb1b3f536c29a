"""Files are written whole or not at all, and what is no file is not replaced by one."""

import os
import stat
import threading

import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.files import check_writable, read_json, write_atomically


def test_a_file_has_its_old_content_or_all_of_the_new(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are Unix's")
def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    check_writable(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, "weights")
    reader.join(10)
    assert read == [b"weights"]
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs links and permissions as of Unix")
def test_a_link_stays_and_permissions_stay(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    write_atomically(link, "first")
    real.chmod(0o600)
    check_writable(link)
    write_atomically(link, "second")
    assert link.is_symlink()
    assert real.read_text() == "second"
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["link.json", "real.json", "there"]


def test_json_says_what_it_is_instead(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"format": "other"}', encoding="utf-8")
    with pytest.raises(InputValueError, match=r"a\.json does not hold one\.kind: give a file of that kind$"):
        read_json(path, "one.kind", 1, "a file of that kind")
