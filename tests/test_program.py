"""`Program`: printed, counted, run, written to a list and a file, read back; what is no program is refused."""

from __future__ import annotations

import json
import math
import re
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Op, Value, grad, jit, ops
from autograd_lite.compiler import Guard, Instruction, Program
from autograd_lite.errors import InputValueError
from tests.compiler import programs as p
from tests.same import same_bits

NAME = "autograd_lite.program"
SMALL = Program(2, (Instruction(ops.mul, (0, 1)), Instruction(ops.add, (2, 0.5))), (3, 1, -2.0))


# -- printed and run --------------------------------------------------------------------------------------------------


def test_it_is_printed_counted_and_run():
    assert str(SMALL) == "v2 = mul(v0, v1)\nv3 = add(v2, 0.5)\nreturn v3, v1, -2.0"
    assert len(SMALL) == 2
    assert SMALL([3.0, 4.0]) == [12.5, 4.0, -2.0]


def test_branches_are_printed_where_they_were_taken():
    def f(x, y):
        z = x * y
        if z > 1.0:
            return z + y
        return z

    program = jit(f).program(2.0, 3.0)
    line = f"test_program.py:{f.__code__.co_firstlineno + 2}"
    wanted = f"v2 = mul(v0, v1)\nv3 = gt(v2, 1.0)\nassert v3  # {line}\nv4 = add(v2, v1)\nreturn v4"
    assert str(program) == wanted
    assert f"assert not v3  # {line}\nreturn v2" in str(jit(f).program(-2.0, 3.0))
    assert [guard[:3] for guard in program.guards] == [(3, True, line)]


def test_special_constants_are_printed():
    program = Program(0, (Instruction(ops.add, (inf, nan)), Instruction(ops.neg, (-0.0,))), (0, -inf))
    assert str(program) == "v0 = add(inf, nan)\nv1 = neg(-0.0)\nreturn v0, -inf"


def test_the_program_of_some_arguments_is_that_of_their_path():
    w = Value(5.0)
    fast = jit(lambda x: w * x if x > 0.0 else x)
    assert fast.program(1.0).inputs == 2  # x, and w from the surroundings
    assert "mul" in str(fast.program(1.0))
    assert "mul" not in str(fast.program(-1.0))
    assert fast.program(1) == fast.program(2.0)
    assert fast.program(Value(3.0)) == fast.program(2.0)


def test_it_is_run_without_looking_at_branches():
    program = jit(lambda x: x if x > 0.0 else -x).program(1.0)
    assert program([-3.0]) == [-3.0]


def test_programs_are_equal_where_they_are_the_same():
    def negated(ref, out=1):
        return Program(1, (Instruction(ops.neg, (ref,)),), (out,))

    assert negated(0) == negated(0)
    assert negated(float("nan")) == negated(float("nan"))
    for other in (negated(0.0), negated(0, 1.0), negated(-0.0), negated(0, 0)):  # a constant is no value of that number
        assert negated(0) != other
    assert negated(0.0) != negated(-0.0)


@pytest.mark.parametrize("inputs", [[], [1.0], [1.0, 2.0, 3.0]])
def test_the_number_of_inputs_is_checked(inputs):
    with pytest.raises(InputValueError, match=rf"^{len(inputs)} inputs given, the program has 2: give one float for each$"):
        SMALL(inputs)


# -- every reading -----------------------------------------------------------------------------------------------------


def test_it_runs_on_floats_values_texts_and_sets():
    assert SMALL.run([3.0, 4.0], Op.apply) == [12.5, 4.0, -2.0]
    x, y = Value(3.0), Value(4.0)
    out, second, third = SMALL.run([x, y], Op.apply)
    out.backward()
    assert (out.data, second, third, x.grad, y.grad) == (12.5, y, -2.0, 4.0, 3.0)
    written = SMALL.run(["x", "y"], lambda op, *operands: f"{op.name}({', '.join(operands)})", constant=repr)
    assert written == ["add(mul(x, y), 0.5)", "y", "-2.0"]
    needed = SMALL.values([{0}, {1}], lambda op, *operands: set().union(*operands), constant=lambda c: set())
    assert needed == [{0}, {1}, {0, 1}, {0, 1}]


def test_rows_that_gather_a_list_take_their_operands_one_by_one():
    program = Program(2, (Instruction(ops.dot, (0, 1, 1, 2.0)), Instruction(ops.logsumexp, (2, 1))), (2, 3))
    wanted = [16.0, 16.0 + math.log1p(math.exp(-12.0))]
    assert program([2.0, 4.0]) == program.run([2.0, 4.0], Op.apply) == wanted
    assert [v.data for v in program.run([Value(2.0), 4.0], Op.apply)] == wanted


@pytest.mark.parametrize("marked", [[False, False], [True, False], [False, True]])
def test_what_varies_and_what_is_used_last(marked):
    program = Program(2, (Instruction(ops.mul, (0, 0)), Instruction(ops.exp, (1,)), Instruction(ops.add, (2, 0.5))), (4,))
    assert program.varying(marked) == [*marked, marked[0], marked[1], marked[0]]
    assert program.last_uses() == [2, 3, 4, -1, -1]


# -- lists and files --------------------------------------------------------------------------------------------------


def test_the_list_is_flat_and_exact():
    program = Program(1, (Instruction(ops.mul, (0, 0.1)),), (1, inf), (Guard(1, False, "a.py:3"),))
    assert program.to_list() == [NAME, 1, 1, [["mul", 0, "0x1.999999999999ap-4"]], [1, "inf"], [[1, False, "a.py:3", 0]]]


@given(p.programs(), st.data())
def test_list_and_json_and_back(program, data):
    count = program.inputs + len(program)
    guards = (
        data.draw(st.lists(st.builds(Guard, st.integers(0, count - 1), st.booleans(), st.text()), max_size=3)) if count else ()
    )
    program = Program(program.inputs, program.instructions, program.outputs, tuple(guards))
    back = Program.from_list(json.loads(json.dumps(program.to_list(), allow_nan=False)))
    assert back.to_list() == program.to_list()
    assert str(back) == str(program)
    inputs = data.draw(st.lists(p.numbers(), min_size=program.inputs, max_size=program.inputs))
    assert all(map(same_bits, back(inputs), program(inputs)))
    assert all(a.__class__ is b.__class__ for a, b in zip(back.outputs, program.outputs, strict=True))


def test_save_and_load(tmp_path):
    fast = jit(grad(lambda x: ops.exp(x[0]) * x[1] if x[0] > 0.0 else x[1]))
    program = fast.program([0.3, -1.7])
    program.save(tmp_path / "f.json")
    loaded = Program.load(str(tmp_path / "f.json"))
    assert loaded == program
    assert loaded([0.3, -1.7]) == fast([0.3, -1.7])
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "f.json"
    SMALL.save(path)
    mine = Op("mine", lambda x: x, 1.0)
    with pytest.raises(InputValueError):
        Program(1, (Instruction(mine, (0,)),), (1,)).save(path)
    assert Program.load(path) == SMALL


@pytest.mark.parametrize("name", ["mine", "add"])
def test_a_users_op_cannot_be_saved(name):
    mine = Op(name, lambda x: 2.0 * x, 2.0)
    with pytest.raises(
        InputValueError, match=rf"^op {name} is not in the op table and cannot be saved: build it from functions"
    ):
        jit(mine).program(1.0).to_list()


# -- garbage ----------------------------------------------------------------------------------------------------------

ROW = ["mul", 0, 0]
GARBAGE = [
    None, 3, "text", [], {}, [NAME], [NAME, 1, 1, [ROW], [1]], [NAME, 1, 1, [ROW], [1], [], []],
    ["autograd_lite.parameters", 1, 1, [ROW], [1], []],
    [NAME, 2, 1, [ROW], [1], []],
    [NAME, 1, -1, [], [], []],
    [NAME, 1, 1.0, [ROW], [1], []],
    [NAME, 1, True, [ROW], [1], []],
    [NAME, 1, "1", [ROW], [1], []],
    [NAME, 1, 1, [["nothing", 0]], [1], []],
    [NAME, 1, 1, [["__class__", 0]], [1], []],
    [NAME, 1, 1, [[["mul"], 0]], [1], []],
    [NAME, 1, 1, [[]], [1], []],
    [NAME, 1, 1, [3], [1], []],
    [NAME, 1, 1, [["mul", 0, 1]], [1], []],  # of itself
    [NAME, 1, 1, [["mul", 0, 2], ["neg", 0]], [1], []],  # of what comes later
    [NAME, 1, 1, [["mul", 0, -1]], [1], []],
    [NAME, 1, 1, [["mul", 0, 0.5]], [1], []],  # constants are text
    [NAME, 1, 1, [["mul", 0, None]], [1], []],
    [NAME, 1, 1, [["mul", 0, True]], [1], []],
    [NAME, 1, 1, [["mul", 0, "zero"]], [1], []],
    [NAME, 1, 1, [["mul", 0, "0x1p5000"]], [1], []],  # no double
    [NAME, 1, 1, [["mul", 0]], [1], []],  # one operand too few
    [NAME, 1, 1, [["sin", 0, 0]], [1], []],  # one too many
    [NAME, 1, 1, [["where", 0, 0]], [1], []],
    [NAME, 1, 1, [ROW], [2], []],
    [NAME, 1, 1, [ROW], 1, []],
    [NAME, 1, 1, [ROW], [[1]], []],
    [NAME, 1, 1, [ROW], [1], [[2, True, "a", 0]]],
    [NAME, 1, 1, [ROW], [1], [["0x1p0", True, "a", 0]]],  # a branch on a constant
    [NAME, 1, 1, [ROW], [1], [["nan", True, "a", 0]]],
    [NAME, 1, 1, [ROW], [1], [[1, "yes", "a", 0]]],
    [NAME, 1, 1, [ROW], [1], [[1, True, {}, 0]]],
    [NAME, 1, 1, [ROW], [1], [[1, True]]],
    [NAME, 1, 1, [ROW], [1], [[1, True, "a", "0"]]],
    [NAME, 1, 1, [ROW], [1], [[1, True, "a", 0, 0]]],
    [NAME, 1, 1, [ROW], [1], [1]],
]  # fmt: skip


@pytest.mark.parametrize("content", GARBAGE, ids=lambda c: json.dumps(c)[:90])
def test_garbage_is_refused(content):
    with pytest.raises(InputValueError, match=r"^no program in a list that starts .*: give what Program.to_list\(\) returned$"):
        Program.from_list(content)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["mul", "sin", "0x1p-1", "nan", NAME]),
)
JSON = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3))
)


@given(st.one_of(JSON, st.tuples(st.just(NAME), st.just(1), st.integers(0, 2), JSON, JSON, JSON).map(list)))
def test_any_json_is_a_program_that_runs_or_is_refused(content):
    try:
        program = Program.from_list(content)
    except InputValueError:
        return
    results = program([0.5] * program.inputs)
    assert all(x.__class__ is float for x in results)
    assert Program.from_list(program.to_list()).to_list() == program.to_list()


@given(st.integers(0, 20), LEAVES)
def test_one_spoilt_place_is_noticed_or_harmless(place, spoilt):
    content = [NAME, 1, 2, [["mul", 0, 1], ["add", 2, "0x1p-1"]], [3, "inf"], [[2, True, "a.py:1", 0]]]
    spots = [(content, i) for i in range(6)]
    spots += [
        (row, i) for rows in content[3:] for row in [rows, *[r for r in rows if isinstance(r, list)]] for i in range(len(row))
    ]
    holder, i = spots[place % len(spots)]
    holder[i] = spoilt
    try:
        program = Program.from_list(content)
    except InputValueError:
        return
    assert all(x.__class__ is float for x in program([0.5] * program.inputs))


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b"null", b'"a"', b"NaN"])
def test_files_that_hold_no_program(tmp_path, text):
    path = tmp_path / "f.json"
    path.write_bytes(text)
    with pytest.raises(InputValueError, match=re.escape(f"{path} holds no program: give a file that Program.save wrote")):
        Program.load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "none.json")


def test_the_message_shows_no_more_than_the_start():
    with pytest.raises(InputValueError) as caught:
        Program.from_list(["x" * 1000])
    assert len(str(caught.value)) < 150
    assert math.isclose(len(str(["x" * 1000])), 1004)
