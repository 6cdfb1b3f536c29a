"""Files are written whole or not at all, and what is no file is not replaced by one."""

import os
import stat
import subprocess
import sys
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


unix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users and permissions as of Unix")


@unix
def test_a_read_only_or_another_users_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(0o444)
    for attempt in (check_writable, lambda p: write_atomically(p, "new")):
        with pytest.raises(PermissionError, match=r"Permission denied: '.*a\.json'"):
            attempt(path)
    path.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(path).st_uid + 1)
    for attempt in (check_writable, lambda p: write_atomically(p, "new")):
        with pytest.raises(PermissionError, match=r"not permitted: '.*a\.json'"):
            attempt(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


@unix
def test_set_user_id_is_not_carried_over(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(0o6750)
    write_atomically(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@unix
def test_a_loop_of_links_is_said_and_stays(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match=r"symbolic links: '.*one'"):
        write_atomically(one, "new")
    assert one.is_symlink()
    assert other.is_symlink()


def test_names_of_any_length_that_a_folder_takes(tmp_path):
    for name in ("n" * 255, "\u00e4" * 127):
        write_atomically(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"
    with pytest.raises(OSError, match="name too long"):
        write_atomically(tmp_path / ("n" * 256), "new")


@unix
def test_what_a_killed_process_left_goes_at_the_next_write(tmp_path):
    program = (
        "import os, sys; from autograd_lite import files\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "files.write_atomically(sys.argv[1], 'new')"
    )
    path = tmp_path / "a.json"
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -9
    (left,) = os.listdir(tmp_path)
    write_atomically(tmp_path / "other.json", "new")
    assert left in os.listdir(tmp_path)  # another file's
    writing, ours = (tmp_path / left.replace(left.split(".")[2], str(n)) for n in (os.getppid(), os.getpid()))
    writing.write_text("of a process that still runs")
    ours.write_text("of one that was killed and had our number, as in a container")
    write_atomically(path, "new")
    assert sorted(os.listdir(tmp_path)) == sorted(["a.json", "other.json", writing.name])


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no /dev/stdout")
def test_the_own_output_is_written_to_and_not_replaced(tmp_path):
    write = "files.write_atomically('/dev/stdout', 'in between\\n')"
    program = f"from autograd_lite import files; print('before'); {write}; print('after')"
    path = tmp_path / "out.txt"
    with path.open("wb") as out:
        out.write(b"first\n")
        out.flush()
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert path.read_text() == "first\nbefore\nin between\nafter\n"


@unix
def test_a_new_file_has_the_permissions_of_any_and_a_private_one_is_private_while_it_is_written(tmp_path, monkeypatch):
    modes, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (modes.append(stat.S_IMODE(os.stat(old).st_mode)), replace(old, new)))
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a.json", "new")
        assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640
        (tmp_path / "a.json").chmod(0o600)
        write_atomically(tmp_path / "a.json", "newer")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert modes == [0o640, 0o600]


def test_threads_that_write_one_file_leave_one_of_their_contents_and_nothing_else(tmp_path):
    path, contents = tmp_path / "a.json", [str(i) * 50_000 for i in range(4)]
    threads = [threading.Thread(target=lambda c=c: [write_atomically(path, c) for _ in range(20)]) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in contents
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_device_that_takes_no_more_is_named():
    with pytest.raises(OSError, match="/dev/full"):
        write_atomically("/dev/full", "x" * 100_000)


def test_content_in_parts_is_written_as_it_comes_or_not_at_all(tmp_path):
    path = tmp_path / "parts.txt"
    write_atomically(path, (b"part %d\n" % i for i in range(3)))
    assert path.read_bytes() == b"part 0\npart 1\npart 2\n"

    def broken():
        yield b"new"
        raise KeyError

    with pytest.raises(KeyError):
        write_atomically(path, broken())
    assert path.read_bytes() == b"part 0\npart 1\npart 2\n"
    assert [p.name for p in tmp_path.iterdir()] == ["parts.txt"]
