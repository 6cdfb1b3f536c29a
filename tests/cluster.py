"""A Dask scheduler and workers, each a process of its own on this machine, started and killed as somebody else's would be."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Where there is fork, Dask is imported once, in a process that does nothing else, and each that is started begins as its copy.
_START = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
_START.set_forkserver_preload(["dask.cli", "distributed.cli.dask_scheduler", "distributed.cli.dask_worker"])


def _dask(arguments, environment, folder, log):
    """The command `dask` in a process that has just begun, as if a shell had started it there."""
    if hasattr(os, "setsid"):
        os.setsid()
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), stream)
    os.chdir(folder)
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT))
    sys.argv = ["dask", *arguments]

    import dask.cli

    dask.config.refresh()
    dask.cli.run_cli()


class Cluster:
    """A scheduler on a free port of the loopback, and workers of one thread each."""

    def __init__(self, workers=2, port=0, memory="1GB"):
        self.memory = memory
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "scheduler.json")
        self.workers = []
        self.start_scheduler(port)
        for _ in range(workers):
            self.start_worker()

    def _run(self, what, *arguments, **environment):
        env = {
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3",
            "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0",
            "OMP_NUM_THREADS": "1",  # as the nanny has it, which is left out
            **environment,
        }
        log = os.path.join(self.folder.name, f"{what}.log")
        given = [what, *map(str, arguments)], env, self.folder.name, log
        process = _START.Process(target=_dask, args=given, daemon=True)
        process.start()
        return process

    def start_scheduler(self, port=0):
        """Another scheduler, at the same port if one is given."""
        if os.path.exists(self.file):
            os.unlink(self.file)
        self.scheduler = self._run(
            "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-jupyter", "--scheduler-file", self.file
        )
        deadline = time.monotonic() + 60
        while not (os.path.exists(self.file) and os.path.getsize(self.file)):
            assert time.monotonic() < deadline
            assert self.scheduler.is_alive(), self.log("scheduler")
            time.sleep(0.05)

    def start_worker(self, *arguments, **environment):
        """Another worker; it is there once it has registered."""
        self.workers.append(
            self._run(
                "worker", "--scheduler-file", self.file, "--host", "127.0.0.1", "--nthreads", 1, "--no-nanny", "--no-dashboard",
                "--local-directory", self.folder.name, "--memory-limit", self.memory, *arguments, **environment,
            )
        )  # fmt: skip
        return self.workers[-1]

    def log(self, what):
        """What they wrote."""
        return Path(self.folder.name, f"{what}.log").read_text(errors="replace")[-4000:]

    def kill(self, process):
        """As the machine would that runs out of memory."""
        os.kill(process.pid, signal.SIGKILL)
        process.join()

    def close(self):
        """End all of them."""
        for process in [*self.workers, self.scheduler]:
            if process.is_alive():
                self.kill(process)
        self.folder.cleanup()
