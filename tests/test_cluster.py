"""A fit over a Dask cluster: the bits of the same fit in this process, whoever holds the rows and whoever dies.

The scheduler and the workers are processes of their own on this machine.
"""

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest

import autograd_lite
from autograd_lite import exp
from autograd_lite.errors import ClusterError, InputTypeError, InputValueError, MissingPackageError
from autograd_lite.fit import fit, minimize, page
from autograd_lite.optim import SGD
from autograd_lite.tables import Parts

np = pytest.importorskip("numpy")
distributed = pytest.importorskip("distributed", reason="Dask is only in the extra 'cluster'")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
cloudpickle = pytest.importorskip("cloudpickle")

from autograd_lite.cli.cluster import connected as of_command  # noqa: E402
from autograd_lite.cli.cluster import spread  # noqa: E402
from autograd_lite.fit import cluster as of_cluster  # noqa: E402
from autograd_lite.fit.cluster import ClusterRows, shares  # noqa: E402
from autograd_lite.fit.methods import bands  # noqa: E402
from autograd_lite.fit.rows import Rows  # noqa: E402
from autograd_lite.fit.rows.residuals import OverRows  # noqa: E402
from tests.cluster import ROOT, Cluster  # noqa: E402
from tests.fit import nist  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own

START = {"w": 0.0, "b": 0.0}
SIZES = [200_000, 1, 65_536, 65_537, 0, 3]  # of the files: cut between workers, of one row, empty


def loss(p, row):
    return (p["w"] * row["x"] + p["b"] - row["y"]) ** 2


def slow(p, row):
    return (p["w"] * row["x"] + p["b"] * exp(-(row["x"] ** 2)) - row["y"]) ** 2


loss.__module__ = slow.__module__ = "__main__"  # travel as a whole: the workers have no tests


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("parts")
    draw = np.random.default_rng(0)
    for i, size in enumerate(SIZES):
        x = draw.normal(size=size)
        pq.write_table(pa.table({"x": x, "y": 3 * x + 1 + 0.1 * draw.normal(size=size)}), found / f"{i}.parquet")
    return found


@pytest.fixture(scope="module")
def cluster():
    found = Cluster(2)
    yield found
    found.close()


def connected(cluster, workers=2, timeout=60):
    client = distributed.Client(scheduler_file=cluster.file, timeout=timeout, set_as_default=False)
    client.wait_for_workers(workers, timeout=120)
    return client


@pytest.fixture(scope="module")
def client(cluster):
    with connected(cluster) as found:
        yield found


class Sums:
    """The sums of the columns, times a weight."""

    def leaf(self, leaves, columns):
        return np.array([np.asarray(column).sum() * leaves[0] for column in columns])

    def both(self, a, b):
        return a + b


Sums.__module__ = "__main__"


def run(data, client=None, f=loss, steps=5, **more):
    return minimize(f, START, data, optimizer=partial(SGD, lr=0.1), steps=steps, client=client, **more)


def bits(found):
    return [x.hex() for x in found.params.values()], [x.hex() for _, x in found.history]


def test_the_bits_are_those_of_one_machine(folder, client):
    here, there = Rows(Parts(folder)), ClusterRows(Parts(folder), client)
    assert there.total(Sums(), [1.5]).tolist() == here.total(Sums(), [1.5]).tolist()
    assert there.fingerprint() == here.fingerprint()
    ranges = [(0, 2), (199_999, 200_003), (331_076, 331_077)]
    assert [c.tolist() for c in there.take(ranges)] == [c.tolist() for c in here.take(ranges)]
    there.close()
    assert bits(run(Parts(folder), client)) == bits(run(Parts(folder)))


def test_names_of_files_are_data(folder, client):
    assert bits(run(f"{folder}/*.parquet", client)) == bits(run(Parts(folder)))
    assert bits(run([folder / "5.parquet"], client)) == bits(run([folder / "5.parquet"]))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_bits_are_the_same_for_any_number_of_workers(folder, workers):
    cluster = Cluster(workers)
    try:
        with connected(cluster, workers) as client:
            assert bits(run(Parts(folder), client)) == bits(run(Parts(folder)))
    finally:
        cluster.close()


def test_csv_files_with_missing_cells(tmp_path, client):
    for i in range(4):
        rows = [f"{j / 7},{'' if j % 5 == i else j / 3}" for j in range(200)]
        (tmp_path / f"{i}.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    parts = Parts(tmp_path, ["x", "y"], drop_missing=True)
    assert bits(run(parts, client)) == bits(run(parts))
    with ClusterRows(parts, client) as spread:
        assert (spread.count, spread.dropped) == (640, 160)


def test_a_dask_data_frame(client):
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    draw = np.random.default_rng(1)
    x = draw.normal(size=1000)
    frame = frames.from_pandas(pandas.DataFrame({"x": x, "y": 2 * x}), npartitions=3)
    with client.as_current():
        found = run(frame, steps=50)
    assert found.params["w"] == pytest.approx(2.0, abs=1e-3)
    with pytest.raises(InputValueError, match="partition 0 row 1, column 'x': 'a' is not a number"):
        run(frames.from_pandas(pandas.DataFrame({"x": ["a", "b"], "y": [1.0, 2.0]}), npartitions=1), client)


def test_a_killed_worker_changes_no_bit(folder):
    cluster = Cluster(2)
    try:
        with connected(cluster) as client:
            watched = []

            def die(step, value, params):
                if step == 3:
                    cluster.kill(cluster.workers[0])
                watched.append(step)

            assert bits(run(Parts(folder), client, steps=8, callback=die)) == bits(run(Parts(folder), steps=8))
            assert watched == list(range(8))
    finally:
        cluster.close()


@pytest.mark.parametrize("dead", [1, 2])
@pytest.mark.parametrize("turn", range(4))  # when they are asked what they are, what they hold, for some rows, for a pass
def test_a_worker_that_dies_while_it_is_asked(turn, dead, folder, client, monkeypatch):
    ask, asked = client.run, []

    def run_(function, *args, **options):
        found = ask(function, *args, **options)
        asked.append(function.__name__)
        lost = dict.fromkeys(sorted(found)[:dead], distributed.comm.CommClosedError("closed"))
        return {**found, **lost} if len(asked) == turn + 1 else found

    monkeypatch.setattr(client, "run", run_)
    assert bits(run(Parts(folder), client, steps=1)) == bits(run(Parts(folder), steps=1))
    assert asked.count(asked[turn]) == {"probe": dead, "asked": 5}[asked[turn]]


def test_a_scheduler_that_is_gone_is_named_and_a_checkpoint_goes_on(folder, tmp_path):
    cluster = Cluster(1)
    path = tmp_path / "run.json"
    try:
        with connected(cluster, 1, timeout=5) as client:

            def die(step, value, params):
                if step == 3:
                    cluster.kill(cluster.scheduler)

            with pytest.raises(ClusterError, match=r"the scheduler at tcp://.* is gone"):
                run(Parts(folder), client, steps=8, checkpoint=path, callback=die)
    finally:
        cluster.close()
    assert bits(run(Parts(folder), steps=8, checkpoint=path)) == bits(run(Parts(folder), steps=8))


def test_no_worker(folder):
    cluster = Cluster(0)
    try:
        with distributed.Client(scheduler_file=cluster.file, timeout=60, set_as_default=False) as client:
            with pytest.raises(ClusterError, match=r"no worker for 1 seconds: start one, dask worker tcp://"):
                ClusterRows(Parts(folder), client, wait=1.0)
            said = []

            def note(text):
                said.append(text)
                cluster.start_worker()

            there = ClusterRows(Parts(folder), client, wait=60.0, note=note)
            assert there.count == sum(SIZES)
            assert said == [f"the scheduler at {there.tasks.address} has no worker: waiting for one, 60 seconds at most"]

            def lost(step, value, params):
                if step == 1:
                    cluster.kill(cluster.workers[0])

            assert bits(run(there, callback=lost)) == bits(run(Parts(folder)))
            assert said[1:] == said[:1]
    finally:
        cluster.close()


def test_a_worker_without_this_package(folder):
    cluster = Cluster(0)
    try:
        with distributed.Client(scheduler_file=cluster.file, timeout=60, set_as_default=False) as client:
            hidden = "import sys; sys.modules['autograd_lite'] = None"
            cluster.start_worker("--preload", hidden)
            client.wait_for_workers(1, timeout=60)
            with pytest.raises(ClusterError, match=r"worker tcp://\S+ cannot import autograd_lite \(.*\): install it on every"):
                ClusterRows(Parts(folder), client)
    finally:
        cluster.close()


def test_a_worker_of_another_version(folder, client, monkeypatch):
    monkeypatch.setattr(autograd_lite, "__version__", "9.0")
    with pytest.raises(ClusterError, match=r"worker tcp://\S+ has autograd_lite 0\..*, and this process 9\.0: install"):
        ClusterRows(Parts(folder), client)


def test_a_worker_without_packages_says_which(monkeypatch):
    def missing(path, options):
        raise MissingPackageError(f"reading {path} needs pyarrow, which is not installed: pip install 'autograd-lite[parquet]'")

    monkeypatch.setattr(shares, "look", missing)
    with pytest.raises(ClusterError, match=r"worker \?: reading a\.parquet needs pyarrow.*, on every worker"):
        shares.heads(["a.parquet"], {})
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert "numpy" in shares.probe_of()()


def test_a_worker_that_adds_up_in_other_bits(folder):
    cluster = Cluster(1)
    try:
        with connected(cluster, 1) as client:
            cluster.start_worker("--preload", "import sys; sys.modules['llvmlite'] = None")
            client.wait_for_workers(2, timeout=60)
            with pytest.raises(ClusterError, match=r"worker \S+ has llvm none, and the others .* accept that with mixed=True"):
                ClusterRows(Parts(folder), client)
            with ClusterRows(Parts(folder), client, mixed=True) as spread:
                assert spread.count == sum(SIZES)
                assert "has llvm none" in spread.notes[0]
    finally:
        cluster.close()


def test_a_bad_cell_names_file_row_and_column(tmp_path, client):
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [1.0, 2.0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1.0, None], "y": [1.0, 2.0]}), tmp_path / "b.parquet")
    with pytest.raises(InputValueError, match=r"b\.parquet row 2, column 'x'"):
        run(Parts(tmp_path), client)


def test_files_of_two_tables(tmp_path, client):
    pq.write_table(pa.table({"x": [1.0], "y": [1.0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1.0], "z": [1.0]}), tmp_path / "b.parquet")
    with pytest.raises(InputValueError, match=r"b\.parquet has no column 'y'"):
        run(Parts(tmp_path), client)


def test_a_file_that_workers_do_not_see(folder, client):
    with pytest.raises(ClusterError, match=r"worker tcp://\S+ cannot read .*nowhere\.csv \(No such file"):
        run([folder / "nowhere.csv"], client)


def test_a_file_that_changes_is_refused(tmp_path):
    cluster = Cluster(1)
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [1.0, 2.0]}), tmp_path / "a.parquet")
    try:
        with connected(cluster, 1) as client:

            def change(step, value, params):
                pq.write_table(pa.table({"x": [5.0] * 9, "y": [2.0] * 9}), tmp_path / "a.parquet")
                cluster.start_worker()
                client.wait_for_workers(2, timeout=60)
                cluster.kill(cluster.workers[0])

            with pytest.raises(InputValueError, match=r"a\.parquet has changed since the run began"):
                run(Parts(tmp_path), client, callback=lambda *a: change(*a) if a[0] == 1 else None)
    finally:
        cluster.close()


def test_only_empty_files(tmp_path, client):
    pq.write_table(pa.table({"x": pa.array([], pa.float64()), "y": pa.array([], pa.float64())}), tmp_path / "a.parquet")
    with pytest.raises(InputValueError, match="data has no rows"):
        run(Parts(tmp_path), client)


def test_what_cannot_be(folder, client):
    with pytest.raises(
        InputTypeError, match="standard input cannot be read twice, or by workers, as files are: give the names"
    ):
        run(Parts(["-"]), client)
    with pytest.raises(InputTypeError, match="which is in this process, and client= is a cluster: give names of files"):
        run(([1.0], [2.0]), client)
    with pytest.raises(InputValueError, match="batch_size=10 on a cluster"):
        run(Parts(folder), client, batch_size=10)
    with pytest.raises(InputTypeError, match=r"give a distributed\.Client"):
        run(Parts(folder), "tcp://127.0.0.1:1")
    with distributed.Client(client.scheduler.address, set_as_default=False) as closed:
        pass
    with pytest.raises(InputValueError, match=r"client= is closed: connect one anew"):
        run(Parts(folder), closed)


def test_an_error_in_the_loss_names_its_line_here(folder, client):
    def bad(p, row):
        return p["w"] * row["nothing"]

    with pytest.raises(KeyError, match="nothing") as caught:
        run(Parts(folder), client, f=bad)
    assert any(entry.name == "bad" for entry in caught.traceback)


def test_memory_is_free_after_a_fit(folder, client):
    gc.collect()  # runs that ended in an error are held by what pytest has caught of them
    run(Parts(folder), client)
    deadline = time.monotonic() + 30
    while held := [str(key) for keys in client.has_what().values() for key in keys if "autograd_lite" in str(key)]:
        assert time.monotonic() < deadline, held
        time.sleep(0.1)


def test_ctrl_c_ends_the_run_and_frees_the_workers(folder, client):
    def stop(step, value, params):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    found = run(Parts(folder), client, steps=50, callback=stop)
    assert (found.reason, found.steps) == ("interrupted", 3)
    assert bits(run(Parts(folder), client, steps=found.steps)) == bits(found)


def test_ctrl_c_ends_a_run_of_the_command(folder, cluster):
    def stop(step, value, params):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with spread(cluster.file, Parts(folder), mixed=False, wait=60.0) as rows:
        found = run(rows, steps=50, callback=stop)
        assert (found.reason, found.steps) == ("interrupted", 3)


def test_two_fits_on_one_cluster(folder, cluster):
    found = {}

    def fit(f):
        with connected(cluster) as own:
            found[f.__name__] = bits(run(Parts(folder), own, f=f))

    threads = [threading.Thread(target=fit, args=(f,)) for f in (loss, slow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == {"loss": bits(run(Parts(folder))), "slow": bits(run(Parts(folder), f=slow))}


def test_a_share_travels_as_its_recipe_and_gives_its_memory_back(folder, monkeypatch):
    import pickle

    from autograd_lite.fit.cluster.shares import Share, Span

    part = next(iter(Parts(folder)))
    share = Share(None, [Span(0, 0, True, part)], 10**9)
    assert share.rows()[0][0].count == SIZES[0]
    assert len(pickle.dumps(share)) < 1000
    assert share.__sizeof__() > 16 * SIZES[0]
    given_back = []
    monkeypatch.setattr(shares, "returned", lambda: given_back.append(True))
    del share
    assert given_back == [True]


def test_rows_beyond_a_workers_memory_are_in_its_files(folder, client, monkeypatch):
    monkeypatch.setattr(of_cluster, "ROOM", 0.0)
    monkeypatch.setattr(of_cluster, "LEAST", 1e-6)

    def held(dask_worker):
        return [value.__sizeof__() for key, value in dask_worker.data.items() if "-share" in key]

    with ClusterRows(Parts(folder), client) as there:
        assert there.total(Sums(), [1.5]).tolist() == Rows(Parts(folder)).total(Sums(), [1.5]).tolist()
        sizes = [size for some in client.run(held).values() for size in some]
        assert 1000 <= min(sizes) <= max(sizes) < 2000


@pytest.mark.parametrize(
    ("limit", "threads", "room"), [(0, 1, 0.6 * 2**33 - 2**28), (2**32, 4, 0.15 * 2**32 - 2**26), (2**28, 2, 2**23)]
)
def test_room_for_numbers(limit, threads, room, folder, client, monkeypatch):
    worker = {"nthreads": threads, "memory_limit": limit}
    monkeypatch.setattr(of_cluster.Tasks, "workers", lambda *_: [worker, {**worker, "memory_limit": 2**40}])
    with ClusterRows(Parts([folder / "5.parquet"]), client) as there:
        assert there._memory == int(room / of_cluster.SHARES)


class Counted(Sums):
    """Work that counts its blocks, and does something at each."""

    def __init__(self, then=lambda: None):
        self.blocks, self.then = 0, then

    def leaf(self, leaves, columns):
        self.blocks += 1
        self.then()
        return super().leaf(leaves, columns)


@pytest.fixture
def worker(folder):
    """What `asked` sees of a worker that holds a share of four blocks."""
    share = shares.Share(None, [shares.Span(0, 0, True, next(iter(Parts(folder))))], 10**9)
    share.rows()
    with ThreadPoolExecutor(1) as threads:
        yield SimpleNamespace(address="tcp://w:1", data={"mine": share}, executors={"default": threads})


def passed(worker, work, monkeypatch, function=shares.total):
    """What a worker finds in a pass: of its share, number 7, and not of another."""
    monkeypatch.setattr(shares, "_works", {"name": (work, [True])})
    question = shares.asked("turn", {"mine": 7, "other": 8}, function, ("name", None, [1.5]), dask_worker=worker)
    return asyncio.run(question)


def test_a_worker_is_asked_for_what_it_holds(folder, worker, monkeypatch):
    found = passed(worker, Counted(), monkeypatch)
    assert list(found) == [7]
    own = Rows(Parts([folder / "0.parquet"])).total(Sums(), [1.5])
    assert shares.merged(found.values(), Sums().both).tolist() == own.tolist()
    assert passed(worker, Counted(), monkeypatch, lambda share, *_: None) == {}


def test_a_pass_that_is_not_waited_for_is_left(worker, monkeypatch):
    work = Counted(lambda: shares.stop("turn"))
    assert (passed(worker, work, monkeypatch), work.blocks) == ({}, 1)
    work = Counted()
    passed(worker, work, monkeypatch)
    assert work.blocks == 4
    freed = Counted(worker.data.clear)
    assert (passed(worker, freed, monkeypatch), freed.blocks) == ({}, 1)


def test_a_worker_that_leaves_says_nothing_and_one_that_fails_is_no_lost_one(worker, monkeypatch):
    def full():
        raise OSError("no space left")

    with pytest.raises(ClusterError, match="worker tcp://w:1: OSError: no space left"):
        passed(worker, Counted(full), monkeypatch)
    worker.executors["default"].shutdown()
    assert passed(worker, Counted(), monkeypatch) == {}


def test_a_worker_remembers_some_works(worker, monkeypatch):
    monkeypatch.setattr(shares, "_works", {})

    monkeypatch.setattr(shares.Share, "total", lambda *_: None)
    monkeypatch.setattr(shares, "returned", lambda: None)
    for number in range(shares.KEPT + 2):
        shares.total(worker.data["mine"], str(number), cloudpickle.dumps(Sums()), [1.0])
    assert list(shares._works) == [str(number) for number in range(2, shares.KEPT + 2)]


def test_work_that_a_worker_has_forgotten_is_sent_again(folder, client):
    def forget():
        from autograd_lite.fit.cluster import shares

        shares._works.clear()

    work = Sums()
    with ClusterRows(Parts(folder), client) as there:
        found = there.total(work, [1.5]).tolist()
        client.run(forget)
        assert there.total(work, [1.5]).tolist() == found


def test_a_loss_that_branches_is_run_row_by_row(tmp_path, client):
    pq.write_table(pa.table({"x": [1.0, 2.0] * 40, "y": [1.0, 2.0] * 40}), tmp_path / "a.parquet")

    def branching(p, row):
        return (p["w"] * row["x"] - row["y"]) ** 2 if float(row["x"]) > 1.5 else p["b"] ** 2

    assert bits(run(Parts(tmp_path), client, f=branching)) == bits(run(Parts(tmp_path), f=branching))


# -- fits of formulas ---------------------------------------------------------------------------------------------------


def cut(columns, folder, files=5):
    """A table in several files."""
    rows = list(zip(*columns.values(), strict=True))
    size = -(-len(rows) // files)
    for i in range(files):
        lines = [",".join(columns), *(",".join(map(str, row)) for row in rows[i * size : (i + 1) * size])]
        (folder / f"{i}.csv").write_text("\n".join(lines) + "\n")
    return str(folder)


def whole(found):
    return [
        [x.hex() for x in part.values()] for part in (found.params, found.stderr)
    ], found.loss.hex(), found.steps, found.converged  # fmt: skip


@pytest.mark.parametrize("name", ["Misra1a", "Eckerle4", "Nelson", "DanWood"])
def test_a_data_set_of_nist_in_five_files(name, tmp_path, client):
    problem = nist.problem(name)
    data = cut(problem.columns, tmp_path)
    for start in problem.starts:
        there = fit(problem.formula, data, target=problem.target, init=start, client=client)
        assert whole(there) == whole(fit(problem.formula, data, target=problem.target, init=start))
        assert there.params == pytest.approx(problem.weights, rel=1e-8)
        assert there.stderr == pytest.approx(problem.errors, rel=1e-6)


def test_columns_that_a_fit_does_not_need_may_hold_anything(tmp_path, client):
    for i in range(2):
        words, days = pa.array(["a", None]), pa.array([i, 1], pa.date32())
        columns = {"day": days, "x": [1.0 + i, 2.0], "site": words, "y": [2.0 + i, 3.0], "many": [[1.0], []]}
        pq.write_table(pa.table(columns), tmp_path / f"{i}.parquet")
    there = fit("a*x + b", str(tmp_path), target="y", client=client)
    assert whole(there) == whole(fit("a*x + b", str(tmp_path), target="y"))
    assert there.params == pytest.approx({"a": 1.0, "b": 1.0})
    with pytest.raises(InputValueError, match=r"0\.parquet, column 'day' holds date32\[day\], not numbers"):
        fit("a*day + b", str(tmp_path), target="y", client=client)
    with pytest.raises(InputValueError, match=r"0\.parquet has no column 'z'; its columns are 'day', .*: choose one of them"):
        fit("a*x + b", str(tmp_path), target="z", client=client)


def measured():
    draw = np.random.default_rng(3)
    x, site = draw.normal(size=300), draw.integers(0, 3, 300)
    y = np.array([1.0, -2.0, 4.0])[site] + 0.7 * x + 0.1 * draw.normal(size=300)
    return {"x": x.tolist(), "site": [f"s{i}" for i in site], "y": y.tolist(), "won": (y > 0.5).astype(float).tolist()}


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("a[site] + k*x", {}),
        ("a + k*x + b*is(site, 's1')", {"loss": "huber"}),
        ("a + k*x", {"loss": "cauchy", "scale": 2.0}),
        ("a + k*x", {"loss": "mae"}),
        ("a + k*x", {"loss": "logistic", "target": "won"}),
        ("a + k*x**2", {"weights": "won"}),
        ("a + b*x", {"method": "lbfgs", "loss": "huber"}),
        ("a*exp(k*x)", {"bounds": {"k": (0.0, 3.0)}, "fixed": {"a": 1.0}}),
    ],
)
def test_whatever_a_fit_does_it_does_over_a_cluster(formula, more, tmp_path, client):
    data = cut(measured(), tmp_path)
    more = {"target": "y", **more}
    try:
        here = whole(fit(formula, data, **more))
    except InputValueError as error:
        with pytest.raises(InputValueError, match=re.escape(str(error)[:60])):
            fit(formula, data, client=client, **more)
    else:
        assert whole(fit(formula, data, client=client, **more)) == here


@pytest.mark.parametrize("formula", ["a[site] + k*x", "a + k*x**3"])
def test_least_absolute_deviations_bring_no_more_than_the_rows_near_zero(formula, tmp_path, client, monkeypatch):
    monkeypatch.setattr(bands, "TOGETHER", 0)
    monkeypatch.setattr(bands, "MOST", 120)
    data = cut(measured(), tmp_path)
    monkeypatch.setattr(OverRows, "matrices", None)
    there = fit(formula, data, target="y", loss="mae", client=client)
    assert there.converged
    assert whole(there) == whole(fit(formula, data, target="y", loss="mae", threads=2))


def test_the_command_line_over_a_cluster(tmp_path, cluster):
    data = cut(measured(), tmp_path)
    command = ["fit", data, "a[site] + k*x", "--target", "y", "--where", "x < 1", "--json"]
    there, here = command_line(*command, "--cluster", cluster.file), command_line(*command)
    assert there.returncode == here.returncode == 0
    assert (there.stdout, there.stderr) == (here.stdout, here.stderr)
    assert "rows left out by --where x < 1" in there.stderr
    refused = command_line(*command, "--cluster", cluster.file, "--holdout", "0.2")
    assert refused.returncode == 2
    assert "--holdout 0.2 is for one machine" in refused.stderr


def test_predictions_over_a_cluster(tmp_path, cluster):
    (tmp_path / "data").mkdir()
    data = cut(measured(), tmp_path / "data", 3)
    weights = str(tmp_path / "w.json")
    assert command_line("fit", data, "a[site] + k*x", "--target", "y", "--save", weights).returncode == 0
    folders = [str(tmp_path / name) for name in ("here", "there")]
    here = command_line("predict", weights, data, "--interval", "0.9", "--to", folders[0])
    there = command_line("predict", weights, data, "--interval", "0.9", "--to", folders[1], "--cluster", cluster.file)
    assert here.returncode == there.returncode == 0
    assert there.stderr.replace("there", "here") == here.stderr
    assert "2.csv: R² on 100 rows = 0.99" in here.stderr
    for name in ("0.csv", "1.csv", "2.csv"):
        one, other = ((tmp_path / folder / name).read_text() for folder in ("here", "there"))
        assert one == other
        assert one.splitlines()[0] == "x,site,y,won,prediction,mean_low,mean_high,obs_low,obs_high"
        assert len(one.splitlines()) == 101


def command_line(*arguments):
    command = [sys.executable, "-m", "autograd_lite", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


def words_of(rows=3000):
    draw = np.random.default_rng(2)
    x, site = draw.uniform(0, 5, rows), draw.choice(list("ABC"), rows)
    y = 2 * x + np.select([site == "A", site == "B"], [1.0, 2.0], 3.0) + 0.1 * draw.normal(size=rows)
    return {"x": x, "site": site, "note": ["not needed"] * rows, "y": y, "v": 1.0 + (x > 2)}


@pytest.mark.parametrize(("formula", "more"), [
    ("a*x + b[site]", {}), ('a*x + b*is(site, "A") + c', {"loss": "mae"}), ("a*x + b", {"loss": "huber", "weights": "v"}),
])  # fmt: skip
def test_words_of_a_dask_data_frame_and_what_is_drawn_of_it(formula, more, tmp_path, client):
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    table = words_of()
    frame = frames.from_pandas(pandas.DataFrame(table), npartitions=5)
    found = fit(formula, frame, target="y", client=client, **more)
    here = fit(formula, table, target="y", **more)
    assert found.converged
    assert found.params == pytest.approx(here.params, rel=1e-12)
    assert found.stderr == pytest.approx(here.stderr, rel=1e-9)
    assert found.data.whole == 3000
    own, whole = tmp_path / "own.html", tmp_path / "all.html"
    found.page(own)
    page(found, whole, data=frame, client=client)
    assert "2,000 of the 3,000 rows are shown, evenly spread; the losses are those of these." in own.read_text()
    assert "2,000 of the 3,000 rows are shown, evenly spread; the losses are those of all." in whole.read_text()
    found.plot(tmp_path / "fit.svg")


def test_a_word_that_is_missing_in_a_dask_data_frame_is_named(client):
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    frame = frames.from_pandas(pandas.DataFrame({"x": [1.0] * 4, "y": [1.0] * 4, "site": ["A", "B", None, "A"]}), npartitions=2)
    with pytest.raises(InputValueError, match="partition 1 row 1 of site is"):
        fit("a[site]*x", frame, target="y", client=client)
    with pytest.raises(InputValueError, match="data has no column 'z'"):
        fit("a*x", frame, target="z", client=client)


def test_targets_that_a_loss_cannot_take_are_found_where_they_are(client):
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    y = np.arange(300) % 2.0
    y[200] = 3.0
    frame = frames.from_pandas(pandas.DataFrame({"x": np.arange(300.0), "y": y}), npartitions=3)
    with pytest.raises(InputValueError, match=r"row 201: y=3.0 must be 0 or 1 for the loss logistic"):
        fit("a*x + b", frame, target="y", loss="logistic", client=client)


@pytest.mark.parametrize(("wait", "seconds"), [(0.0, 1.0), (5.0, 5.0), (300.0, 30)])
def test_a_scheduler_that_does_not_answer_is_waited_for_no_longer_than_said(wait, seconds, folder, monkeypatch):
    def client(address, timeout, set_as_default):
        raise TimeoutError(f"{timeout} seconds")

    monkeypatch.setattr(distributed, "Client", client)
    with (
        pytest.raises(ClusterError, match=rf"--cluster tcp://h:1: no scheduler answers there \({seconds} seconds\): start one"),
        spread("tcp://h:1", Parts(folder), mixed=False, wait=wait),
    ):
        pass


@pytest.mark.parametrize(
    "address", ["foo", "tcp://", "foo://x:1", "x:y", "", "none.json", "broken.json", "list.json", "half.json"]
)
def test_what_is_no_schedulers_address_is_refused_at_once(address, tmp_path, monkeypatch):
    for name, text in (("broken.json", '{"address": 3'), ("list.json", "[]"), ("half.json", '{"address": "foo"}')):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("distributed.Client", None)  # none is begun
    with pytest.raises(ClusterError, match=f"--cluster {address}: not a scheduler's address"), of_command(address):
        pass
