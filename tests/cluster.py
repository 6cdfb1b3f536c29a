"""A Dask scheduler and workers, each a process of its own on this machine, started and killed as somebody else's would be."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


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
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3",
            "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0",
            "OMP_NUM_THREADS": "1",  # as the nanny has it, which is left out
            **environment,
        }
        command = [sys.executable, "-m", "dask", what, *map(str, arguments)]
        log = open(os.path.join(self.folder.name, f"{what}.log"), "ab")  # noqa: SIM115
        return subprocess.Popen(command, env=env, cwd=self.folder.name, stdout=log, stderr=log, start_new_session=True)

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
            assert self.scheduler.poll() is None, self.log("scheduler")
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
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self):
        """End all of them."""
        for process in [*self.workers, self.scheduler]:
            if process.poll() is None:
                self.kill(process)
        self.folder.cleanup()
