"""The shim itself: what it counts, and that it does what it was told, where it was told."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from fastingest.spool.directories import SpoolDirectories
from tests.faults.run import feed
from tests.faults.shim import ERRORS, Call, Shim, library, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"the shim {missing()}")

ROOT = Path(__file__).parents[2]
EVERYTHING = """
import mmap, os, shutil
from pathlib import Path

os.chdir(folder)
with open("a", "wb", buffering=0) as file:                      # open
    file.write(b"12345678")                                     # write
    os.writev(file.fileno(), [b"1", b"2"])                      # writev
    os.pwrite(file.fileno(), b"1", 0)                           # pwrite
    os.pwritev(file.fileno(), [b"1", b"2"], 0)                  # pwritev
    os.ftruncate(file.fileno(), 5)                              # ftruncate
    os.posix_fallocate(file.fileno(), 0, 100)                   # posix_fallocate
    os.fsync(file.fileno())                                     # fsync
    os.fdatasync(file.fileno())                                 # fdatasync
    copy = os.dup(file.fileno())
    os.write(copy, b"1")                                        # write
    os.rename("a", "b")                                         # rename
    os.write(copy, b"1")                                        # write
with open("b", "rb") as file:
    file.read()
with open("b", "r+b") as file:                                  # open
    mmap.mmap(file.fileno(), 0).close()                         # mmap
    mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE).close()
    mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ).close()
os.truncate("b", 3)                                             # truncate
os.link("b", "c")                                               # link
os.symlink("b", "d")                                            # symlink
os.mkdir("e")                                                   # mkdir
directory = os.open("e", os.O_RDONLY | os.O_DIRECTORY)
inner = os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=directory)  # openat
os.write(inner, b"1")                                           # write
os.replace("b", "g")                                            # rename
shutil.rmtree("e")                                              # unlinkat rmdir
os.unlink("g")                                                  # unlink
os.mkdir("e")                                                   # mkdir
os.rmdir("e")                                                   # rmdir
Path("/dev/null").write_bytes(b"1")
os.write(1, b"")
read, written = os.pipe()
os.write(written, b"1")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What counts."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def shim(tmp_path: Path, folder: Path) -> Shim:
    return Shim(tmp_path, [folder])


def _run(shim: Shim, folder: Path, program: str, plan: str = "", *, trace: bool = False) -> int:
    """The exit status of a Python program under the shim; ``folder`` is known to it."""
    program = f"import os, sys\nfolder = {str(folder)!r}\n{program}"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | shim.environment(plan, trace=trace) | {"PYTHONPATH": str(ROOT)},
        check=False,
    ).returncode


def _name(call: Call) -> str:
    """Without the name's part for large files, which is another one on other machines."""
    return re.sub("64(v2)?|v2", "", call.name)


def test_it_counts_each_call_that_changes_a_file(folder: Path, shim: Shim) -> None:
    assert _run(shim, folder, EVERYTHING, trace=True) == 0
    expected = [
        name for text in re.findall(r"# ([a-z_ ]+)$", EVERYTHING, re.M) for name in text.split()
    ]
    found = [_name(call) for call in shim.log()]
    # Which of the two functions does it, is the C library's and Python's own matter.
    same = {"openat": "open", "unlinkat": "unlink"}
    assert [same.get(each, each) for each in found] == [same.get(each, each) for each in expected]
    assert shim.counts() == {
        "any": len(expected),
        "supervisor": len(expected),
        "receiver": 0,
        "writer": 0,
    }
    assert [call.number for call in shim.log()] == list(range(1, len(expected) + 1))
    inner = [call.path for call in shim.log() if call.path.endswith("/e/f")]
    assert len(inner) == 3  # made, written and deleted by way of the directory


WRITES = """
file = os.open(folder + "/a", os.O_WRONLY | os.O_CREAT)
for _ in range(9):
    os.write(file, b"12")
"""


@pytest.mark.parametrize(("action", "left"), [("kill", 6), ("after", 8), ("tear", 7)])
def test_it_kills_at_the_call(action: str, left: int, folder: Path, shim: Shim) -> None:
    """The first call opens the file."""
    assert _run(shim, folder, WRITES, f"{action}@5") == -signal.SIGKILL
    assert (folder / "a").stat().st_size == left
    (call,) = shim.log()
    assert call == Call(5, 5, "supervisor", action, "write", str(folder / "a"))


def test_it_kills_the_whole_group(folder: Path, shim: Shim) -> None:
    program = f"os.setsid()\nchild = os.fork()\n{WRITES}\nos.waitpid(child, 0)"
    assert _run(shim, folder, program, "group@7") == -signal.SIGKILL
    # Until the signal has reached it, the other one may come a little further; both make 20 calls.
    assert 7 <= shim.counts()["any"] < 20


TRIES = """
for _ in range(9):
    try:
        os.truncate(folder + "/a", 2)
    except OSError as error:
        print(error.errno, file=sys.stderr)
"""


@pytest.mark.parametrize("name", [error for error in ERRORS if error not in ("EINTR", "EMFILE")])
def test_it_fails_with_the_error(
    name: str, folder: Path, shim: Shim, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "a").write_bytes(b"1234")
    assert _run(shim, folder, TRIES, f"{name}@3+2") == 0
    assert capfd.readouterr().err.split() == [str(getattr(errno, name))] * 2
    assert [(call.number, call.action) for call in shim.log()] == [(3, name), (4, name)]
    assert shim.counts()["any"] == 9


def test_an_interrupted_call_is_made_again(folder: Path, shim: Shim) -> None:
    """By Python, as of PEP 475."""
    assert _run(shim, folder, WRITES, "EINTR@3+4") == 0
    assert (folder / "a").read_bytes() == b"12" * 9
    assert shim.counts()["any"] == 1 + 9 + 4


def test_an_error_comes_only_where_a_call_may_have_it(
    folder: Path, shim: Shim, capfd: pytest.CaptureFixture[str]
) -> None:
    program = f"{WRITES}\nos.open(folder + '/b', os.O_WRONLY | os.O_CREAT)"
    assert _run(shim, folder, program, "EMFILE@2") == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith("OSError: [Errno 24]")
    assert [call.number for call in shim.log()] == [11]


def test_an_error_may_be_for_some_calls_only(folder: Path, shim: Shim) -> None:
    program = f"{WRITES}\nos.truncate(folder + '/a', 2)\nos.ftruncate(file, 1)"
    assert _run(shim, folder, program, "EIO/ftrunc@1+9") == 1
    assert (folder / "a").read_bytes() == b"12"
    assert [(call.number, _name(call)) for call in shim.log()] == [(12, "ftruncate")]


def test_it_writes_half(folder: Path, shim: Shim) -> None:
    program = """
file = os.open(folder + "/a", os.O_WRONLY | os.O_CREAT)
for pieces in ([b"1234"], [b"12", b"345", b"6"], [b"1"]):
    print(os.writev(file, pieces), file=sys.stderr)
print(os.pwritev(file, [b"ab", b"cdef"], 0), file=sys.stderr)
"""
    assert _run(shim, folder, program, "short@1+100") == 0
    assert (folder / "a").read_bytes() == b"abc231"
    assert [call.number for call in shim.log()] == [2, 3, 5]  # of one byte there is no half


def test_several_things_happen_one_after_the_other(folder: Path, shim: Shim) -> None:
    assert _run(shim, folder, WRITES, "short@3+2,kill@8") == -signal.SIGKILL
    assert (folder / "a").read_bytes() == b"12" + b"1" * 2 + b"12" * 3
    assert [call.action for call in shim.log()] == ["short", "short", "kill"]


def test_a_process_has_the_role_that_it_shows(folder: Path, shim: Shim) -> None:
    program = f"""
from fastingest.runtime.process_setup import show_name

def write(role):
    pid = os.fork()
    if pid == 0:
        if role:
            show_name(role)
        try:
            exec({WRITES!r})
        except OSError:
            os._exit(5)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

assert [write(role) for role in ("", "receiver", "writer")] == [0, 5, 0]
"""
    assert _run(shim, folder, program, "receiver:EIO@4") == 0
    assert shim.counts() == {"any": 24, "supervisor": 10, "receiver": 4, "writer": 10}
    assert [(call.number, call.own, call.role) for call in shim.log()] == [(14, 4, "receiver")]


def test_processes_and_threads_count_together(folder: Path, shim: Shim) -> None:
    program = f"""
import subprocess, threading

write = "import os\\nfolder = " + repr(folder) + {WRITES!r}
children = [subprocess.Popen([sys.executable, "-c", write]) for _ in range(3)]
threads = [threading.Thread(target=exec, args=(write, {{}})) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert [child.wait() for child in children] == [0, 0, 0]
"""
    assert _run(shim, folder, program, trace=True) == 0
    assert shim.counts()["any"] == 7 * 10
    assert sorted(call.number for call in shim.log()) == list(range(1, 71))


@pytest.mark.parametrize(
    "plan", ["kill", "kill@", "kill@0", "kill@1x", "die@1", "waiter:kill@1", "kill@1/a"]
)
def test_a_plan_that_cannot_be_read_is_refused(plan: str, folder: Path, shim: Shim) -> None:
    assert _run(shim, folder, WRITES, plan) == 70


def test_it_is_built_once() -> None:
    before = library().stat().st_mtime_ns
    library.cache_clear()
    assert library().stat().st_mtime_ns == before


CALLS = (
    "openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fsync,fdatasync,"
    "sync_file_range,fallocate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,"
    "mkdirat,unlink,unlinkat,rmdir,mmap,copy_file_range,sendfile"
)


def test_it_misses_no_call_of_a_run(tmp_path: Path, folder: Path) -> None:
    """The kernel has seen the same ones, as strace tells."""
    out, seen = folder / "out.csv", tmp_path / "strace"
    known = [name for name in CALLS.split(",") if _is_known(name)]
    tracer = ["strace", "-f", "-qq", "-y", "-o", str(seen), f"-etrace={','.join(known)}"]
    if not shutil.which("strace") or subprocess.run([*tracer, "true"], check=False).returncode:
        pytest.skip("needs strace, and that a process may be traced")
    spool = SpoolDirectories.of(out).spool
    shim = Shim(tmp_path, [folder, spool])
    with feed("--rows", 400, "--rate", 4000, "--block", 10) as server:
        command = [sys.executable, "-m", "fastingest", "--url", server.url, "--out", str(out)]
        command += ["--quiet", "--batch-size", "20", "--max-rows", "400", "--fsync", "batch"]
        variables = [f"-E{name}={value}" for name, value in shim.environment(trace=True).items()]
        subprocess.run([*tracer, *variables, *command], cwd=ROOT, check=True)
    counted = Counter(re.sub("^open$", "openat", _name(call)) for call in shim.log())
    assert counted == _seen(seen.read_text(errors="replace"), [str(folder), str(spool)])
    assert sum(counted.values()) > 100


def _is_known(name: str) -> bool:
    """Whether there is such a call on this kind of machine."""
    command = ["strace", "-o", os.devnull, f"-etrace={name}", "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _seen(log: str, paths: list[str]) -> Counter[str]:
    """How often each of the calls was made for what is below the paths."""
    found: Counter[str] = Counter()
    for line in log.splitlines():
        match = re.match(r"\d+ +(\w+)\((.*)", line)  # the rest of an interrupted line has no name
        if match is None or not any(path in match[2] for path in paths):
            continue
        name, text = re.sub("64|2$", "", match[1]), match[2]
        if name == "mmap" and not ("PROT_WRITE" in text and "MAP_SHARED" in text):
            continue
        if name.startswith("open") and not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", text):
            continue
        if name == "write" and "shim.log" in text.split(",")[0]:
            continue  # the shim's own
        found[name] += 1
    return found
