"""Modules: weights, order, structure, gradients; losses against formulas of their own; saving and loading."""

import json
import math
import os
import random
import re
from collections import UserDict, UserList, defaultdict, deque, namedtuple
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

import autograd_lite as al
from autograd_lite import Value, errors, grad, hessian, hvp, jacobian, jit, jvp, nn, optim, value_and_grad, vjp
from autograd_lite.errors import AutogradError, InputTypeError, InputValueError, StructureError
from autograd_lite.nn import MLP, Layer, Module, Neuron

# -- neurons, layers, perceptrons -------------------------------------------------------------------------------------


def data(module):
    return [p.data for p in module.parameters()]


def test_the_same_seed_gives_the_same_weights():
    assert data(MLP(2, [3, 1], seed=7)) == data(MLP(2, [3, 1], seed=7)) != data(MLP(2, [3, 1], seed=8))
    assert data(Layer(2, 3, seed=7)) == data(Layer(2, 3, seed=random.Random(7)))
    assert data(Neuron(2, seed=7)) == data(Layer(2, 1, seed=7)) == data(MLP(2, [1], seed=7))


def test_a_seed_leaves_the_global_generator_alone():
    random.seed(5)
    state = random.getstate()
    model = MLP(3, [8, 8, 1], seed=0)
    assert random.getstate() == state
    assert all(-1.0 <= x <= 1.0 for x in data(model))


@pytest.mark.parametrize("seed", [0, True, 2**70, random.Random(0), None])
def test_no_neuron_repeats_another(seed):
    weights = [p.data for name, p in MLP(3, [4, 4, 1], seed=seed).named_parameters() if ".w." in name]
    assert len(set(weights)) == len(weights)


@pytest.mark.parametrize("seed", [1.5, "abc"])
def test_other_seeds_are_refused(seed):
    for make in (lambda: MLP(2, [1], seed=seed), lambda: Layer(2, 1, seed=seed), lambda: Neuron(2, seed=seed)):
        with pytest.raises(InputTypeError, match=f"seed={seed!r}"):
            make()


@pytest.mark.parametrize("k", [0, 1337])
def test_the_global_seed_gives_micrograds_own_weights(k):
    theirs = pytest.importorskip("micrograd.nn", reason="micrograd is not installed")
    random.seed(k)
    expected = theirs.MLP(2, [16, 16, 1])
    random.seed(k)
    model = MLP(2, [16, 16, 1])
    assert data(model) == data(expected)
    assert repr(model) == repr(expected)
    x = [0.3, -0.7]
    out, other = model(x), expected(x)
    out.backward()
    other.backward()
    assert out.data == pytest.approx(other.data, rel=1e-12)
    assert [p.grad for p in model.parameters()] == pytest.approx([p.grad for p in expected.parameters()], rel=1e-11)


def test_parameters_come_in_order_under_their_paths():
    model = MLP(2, [2, 1], seed=0)
    neurons = [n for layer in model.layers for n in layer.neurons]
    assert [id(p) for p in model.parameters()] == [id(p) for n in neurons for p in (*n.w, n.b)]
    assert [name for name, _ in model.named_parameters()] == [
        "layers.0.neurons.0.w.0", "layers.0.neurons.0.w.1", "layers.0.neurons.0.b",
        "layers.0.neurons.1.w.0", "layers.0.neurons.1.w.1", "layers.0.neurons.1.b",
        "layers.1.neurons.0.w.0", "layers.1.neurons.0.w.1", "layers.1.neurons.0.b",
    ]  # fmt: skip
    assert len(MLP(2, [16, 16, 1]).parameters()) == 337


Pair = namedtuple("Pair", "first second")


class Zoo(Module):
    """Parameters in every kind of container, one of them twice."""

    def __init__(self):
        self.a = Value(1.0)
        self.table = {"b": Value(2.0), "c": [Value(3.0), None, "text", 7.0]}
        self.pair = Pair(Value(4.0), (Value(5.0), self.a))
        self.inner = Neuron(1, "tanh", seed=0)
        self.rate = 0.5

    def __call__(self, x):
        b, c = self.table["b"], self.table["c"][0]
        return (self.a * x + b * c) * self.pair.first + self.pair.second[0] * self.pair.second[1] * self.inner([x]) * self.rate


def test_parameters_are_found_in_containers_and_tied_ones_once():
    zoo = Zoo()
    names = [name for name, _ in zoo.named_parameters()]
    assert names == ["a", "table.b", "table.c.0", "pair.0", "pair.1.0", "inner.w.0", "inner.b"]
    assert data(zoo)[:5] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_tied_parameters_stay_tied_in_transforms():
    zoo = Zoo()
    value, g = value_and_grad(lambda m, x: m(x))(zoo, 0.7)
    out = zoo(0.7)
    out.backward()
    assert value == out.data
    assert g.pair.second[1] is g.a
    assert type(g.pair) is Pair
    assert (g.rate, g.table["c"][1:]) == (0.5, [None, "text", 7.0])
    assert [p.data for p in g.parameters()] == pytest.approx([p.grad for p in zoo.parameters()], rel=1e-14)
    assert data(zoo)[:5] == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("activation", "function", "text"),
    [
        ("relu", al.relu, "ReLUNeuron(2)"), ("tanh", al.tanh, "tanhNeuron(2)"), ("linear", lambda z: z, "LinearNeuron(2)"),
        (None, lambda z: z, "LinearNeuron(2)"), ("identity", lambda z: z, "LinearNeuron(2)"), (al.sin, al.sin, "sinNeuron(2)"),
        ("leaky_relu", al.leaky_relu, "leaky_reluNeuron(2)"), (lambda z: z * z, lambda z: z * z, "<lambda>Neuron(2)"),
    ],
)  # fmt: skip
def test_activations(activation, function, text):
    neuron = Neuron(2, activation, seed=0)
    neuron.w[0].data, neuron.w[1].data, neuron.b.data = 1.0, -2.0, 0.25
    assert neuron([0.5, 1.0]).data == function(-1.25)
    assert repr(neuron) == text


def test_shapes_of_outputs():
    assert isinstance(Layer(2, 1, seed=0)([1.0, 2.0]), Value)
    assert len(Layer(2, 3, seed=0)([1.0, 2.0])) == 3
    assert isinstance(MLP(2, [3, 1, 2, 1], seed=0)(np.array([1.0, 2.0])), Value)
    assert len(MLP(1, [1, 2], seed=0)([1.0])) == 2
    assert repr(MLP(2, [2, 1])) == "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    assert Neuron(2, nonlin=False).activation is None


def test_zero_grad():
    model = MLP(2, [2, 1], "tanh", seed=0)
    model([1.0, 2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert {p.grad for p in model.parameters()} == {0.0}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Neuron(0), "nin=0 must be a whole number of at least 1"),
        (lambda: Neuron(2.0), r"nin=2\.0 must be a whole number"),
        (lambda: Neuron(True), "nin=True must be a whole number"),
        (lambda: Layer(2, -1), "nout=-1 must be a whole number of at least 1"),
        (lambda: MLP(2, []), r"nouts=\[\] must name at least one layer: MLP\(2, \[16, 16, 1\]\)"),
        (lambda: MLP(2, [3, 0]), "nout=0 must be a whole number"),
        (lambda: Neuron(2, "foo"), "activation='foo' is not a function of one number: give 'relu', 'tanh'.*or a function"),
        (lambda: Neuron(2, "add"), "activation='add' is not a function of one number"),
        (lambda: Neuron(2, "sum"), "activation='sum' is not a function of one number"),
        (lambda: Neuron(2)([1.0]), r"len\(x\)=1, but the neuron has 2 inputs: give one number for each"),
    ],
)
def test_messages_of_modules(call, message):
    with pytest.raises(InputValueError, match=message):
        call()


# -- transforms over modules ------------------------------------------------------------------------------------------

XS, YS = [[0.5, 1.0], [-1.0, 0.25], [2.0, -0.5]], [1.0, -1.0, 0.5]


def loss(model, xs, ys):
    return nn.mse([model(x) for x in xs], ys)


def test_the_gradient_has_the_models_shape_and_backwards_numbers():
    model = MLP(2, [4, 3, 1], "tanh", seed=0)
    before = data(model)
    value, g = value_and_grad(loss)(model, XS, YS)
    out = loss(model, XS, YS)
    out.backward()
    assert type(value) is float
    assert value == out.data
    assert type(g) is MLP
    assert [n for n, _ in g.named_parameters()] == [n for n, _ in model.named_parameters()]
    assert data(g) == pytest.approx([p.grad for p in model.parameters()], rel=1e-12)
    assert data(model) == before
    assert {p.op for p in g.parameters()} == {None}


def test_nested_transforms_over_a_module():
    model = Neuron(2, "tanh", seed=3)
    n = len(model.parameters())
    units = [al.tree.unflatten(al.tree.flatten(model)[1], [float(i == j) for j in range(n)]) for i in range(n)]

    def f(m):
        return loss(m, XS, YS)

    def flat(w):
        return nn.mse([al.tanh(w[0] * x[0] + w[1] * x[1] + w[2]) for x in XS], YS)

    expected = [pytest.approx(row, rel=1e-11, abs=1e-13) for row in hessian(flat)(data(model))]
    assert data(grad(f)(model)) == pytest.approx(grad(flat)(data(model)), rel=1e-12)
    assert [data(jvp(grad(f), (model,), (u,))[1]) for u in units] == expected
    assert [data(hvp(f, (model,), (u,))) for u in units] == expected
    assert [data(vjp(grad(f), model)[1](u)[0]) for u in units] == expected
    assert [data(row) for row in jacobian(lambda m: [m(XS[0])])(model)] == [data(grad(lambda m: m(XS[0]))(model))]
    assert [data(row) for row in jacobian(lambda m: grad(f)(m).parameters())(model)] == expected
    h = hessian(f)(model)
    assert [data(row) for row in (*h.w, h.b)] == expected


def test_a_step_along_the_gradient_learns():
    model = MLP(2, [4, 1], "tanh", seed=0)
    first = loss(model, XS, YS).data
    for _ in range(50):
        _, g = value_and_grad(loss)(model, XS, YS)
        for p, slope in zip(model.parameters(), g.parameters(), strict=True):
            p.data -= 0.1 * slope.data
    assert loss(model, XS, YS).data < 0.1 * first


# -- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "predictions", "targets", "value", "slopes"),
    [
        (nn.mse, [1.0, 2.0, 5.0], [1.0, 4.0, 4.0], 5 / 3, [0.0, -4 / 3, 2 / 3]),
        (nn.mse, [1e200], [0.0], math.inf, [2e200]),
        (nn.mae, [1.0, 2.0, 5.0], [1.0, 4.0, 4.0], 1.0, [0.0, -1 / 3, 1 / 3]),
        (nn.huber, [0.5, 3.0, -4.0, 1.0], [0.0] * 4, (0.125 + 2.5 + 3.5 + 0.5) / 4, [0.125, 0.25, -0.25, 0.25]),
        (lambda p, y: nn.huber(p, y, delta=2.0), [3.0, 1.0], [0.0, 0.0], (4.0 + 0.5) / 2, [1.0, 0.5]),
        (nn.huber, [1e200], [0.0], 1e200, [1.0]),
        (nn.hinge, [2.0, 0.5, -3.0], [1, 1, -1], 0.5 / 3, [0.0, -1 / 3, 0.0]),
        (nn.hinge, [-1.0], [1], 2.0, [-1.0]),
        (nn.binary_cross_entropy_with_logits, [0.0], [1], math.log(2.0), [-0.5]),
        (nn.binary_cross_entropy_with_logits, [40.0, -40.0], [1, 0], math.exp(-40.0),
         [-math.exp(-40.0) / 2, math.exp(-40.0) / 2]),
        (nn.binary_cross_entropy_with_logits, [-1000.0, 1000.0], [1, 0], 1000.0, [-0.5, 0.5]),
        (nn.binary_cross_entropy_with_logits, [1000.0, -1000.0], [1, 0], 0.0, [0.0, 0.0]),
        (nn.binary_cross_entropy_with_logits, [0.3], [0.25], math.log1p(math.exp(0.3)) - 0.075,
         [1 / (1 + math.exp(-0.3)) - 0.25]),
        (nn.cross_entropy, [0.0, 0.0, 0.0], 1, math.log(3.0), [1 / 3, -2 / 3, 1 / 3]),
        (nn.cross_entropy, [50.0, 0.0], 0, math.exp(-50.0), [-math.exp(-50.0), math.exp(-50.0)]),
        (nn.cross_entropy, [0.0, 1000.0], 0, 1000.0, [-1.0, 1.0]),
        (nn.cross_entropy, [1.0, 2.0], [0.25, 0.75], 1.25 + math.log(1 + math.exp(-1.0)) - 1.0,
         [1 / (1 + math.e) - 0.25, 1 / (1 + math.exp(-1)) - 0.75]),
    ],
)  # fmt: skip
def test_losses_and_their_slopes(f, predictions, targets, value, slopes):
    assert f(predictions, targets) == pytest.approx(value, rel=4e-15)
    assert grad(f)(predictions, targets) == pytest.approx(slopes, rel=4e-15)
    leaves = [Value(p) for p in predictions]
    out = f(leaves, targets)
    out.backward()
    assert [out.data, *(v.grad for v in leaves)] == pytest.approx([value, *slopes], rel=4e-15)


def test_cross_entropy_averages_over_rows():
    rows = [[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]]
    each = [nn.cross_entropy(row, t) for row, t in zip(rows, [2, 0], strict=True)]
    for logits, targets in [(rows, [2, 0]), (np.array(rows), np.array([2, 0])), (rows, [[0, 0, 1], [1, 0, 0]])]:
        assert nn.cross_entropy(logits, targets) == pytest.approx(sum(each) / 2, rel=1e-15)


def test_cross_entropy_with_labels_is_compiled_over_rows():
    def loss(w, x, label):
        return nn.cross_entropy([w[0] * x, w[1] * x, w[2]], label)

    w, x, labels = [0.3, -0.7, 0.2], np.linspace(-2.0, 2.0, 60), np.arange(60) % 3
    each = [value_and_grad(loss)(w, float(a), int(k)) for a, k in zip(x, labels, strict=True)]
    value, slopes = al.jit(value_and_grad(loss), batch=(1, 2))(w, x, labels)
    assert value == pytest.approx([v for v, _ in each], rel=1e-14)
    assert np.transpose(slopes) == pytest.approx(np.array([g for _, g in each]), rel=1e-13, abs=1e-15)
    assert al.jit(value_and_grad(loss))(w, 0.5, 2) == value_and_grad(loss)(w, 0.5, 2)
    assert math.isnan(al.jit(loss)(w, 0.5, 7))
    assert math.isnan(al.jit(loss)(w, 0.5, 0.5))


@pytest.mark.parametrize("f", [nn.mse, nn.mae, nn.huber, nn.hinge, nn.binary_cross_entropy_with_logits])
def test_losses_take_scalars_arrays_and_values(f):
    expected = f([0.3], [1.0])
    assert f(0.3, 1.0) == expected
    assert f(np.array([0.3]), np.array([1.0])) == expected
    assert f(Value(0.3), 1).data == f([Value(0.3)], [Value(1.0)]).data == expected
    assert f([0.3] * 4, [1.0] * 4) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.mse([1.0], [1.0, 2.0]), StructureError, "mse of 1 predictions and 2 targets: give one target for each"),
        (lambda: nn.hinge([], []), InputValueError, "hinge of no predictions has no mean: give at least one"),
        (lambda: nn.huber([1.0], [1.0], 0.0), InputValueError, r"delta=0\.0 must be above 0: it is where the loss turns"),
        (lambda: nn.huber([1.0], [1.0], math.nan), InputValueError, "delta=nan must be above 0"),
        (lambda: nn.cross_entropy(1.0, 0), InputTypeError, r"logits=1\.0 must be a row of scores, one for each class"),
        (lambda: nn.cross_entropy([1.0, 2.0], 2), InputValueError, "target=2 must be the index of one of 2 classes, 0 to 1"),
        (lambda: nn.cross_entropy([1.0, 2.0], -1), InputValueError, "target=-1 must be the index"),
        (lambda: nn.cross_entropy([1.0, 2.0], 0.5), InputValueError, r"target=0\.5 must be the index"),
        (lambda: nn.cross_entropy([[1.0, 2.0]], [0, 1]), StructureError, "cross_entropy of 1 predictions and 2 targets"),
        (lambda: nn.cross_entropy([1.0, 2.0], [1.0]), StructureError, r"cross_entropy of 2 scores and 1 probabilities"),
        (
            lambda: nn.mse([1.0, "a"], [1.0, 2.0]),
            InputTypeError,
            r"predictions\[1\] of mse\(\)='a' is a str, not a real number",
        ),
        (lambda: nn.mae([1.0], [None]), InputTypeError, r"targets\[0\] of mae\(\)=None is None, not a real number"),
        (lambda: nn.huber([[1.0]], [[1.0]]), InputTypeError, r"predictions\[0\] of huber\(\)=\[1\.0\] is a list"),
        (lambda: nn.hinge(["a"], [1.0]), InputTypeError, r"scores\[0\] of hinge\(\)='a' is a str"),
        (lambda: nn.hinge(np.ones((2, 2)), np.ones(2)), InputTypeError, r"scores\[0\] of hinge\(\)=array\(\[1\., 1\.\]\) is"),
        (lambda: nn.binary_cross_entropy_with_logits([1.0], ["a"]), InputTypeError, r"targets\[0\] of binary_cross_entropy"),
        (lambda: nn.cross_entropy([1.0, None], 0), InputTypeError, r"logits\[1\] of cross_entropy\(\)=None is None"),
        (lambda: nn.cross_entropy([1.0, 2.0], "ab"), InputTypeError, r"targets\[0\] of cross_entropy\(\)='a' is a str"),
    ],
)
def test_messages_of_losses(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- files ------------------------------------------------------------------------------------------------------------


class Line(Module):
    def __init__(self, w, b):
        self.w, self.b = Value(w), Value(b)


@pytest.mark.parametrize(("w", "b"), [(1.5, -0.0), (0.1, 5e-324), (math.inf, -math.inf), (math.nan, 1.7976931348623157e308)])
def test_parameters_survive_to_the_bit(tmp_path, w, b):
    Line(w, b).save(tmp_path / "line.json")
    line = Line(0.0, 0.0)
    line.load(str(tmp_path / "line.json"))
    assert [x.hex() for x in data(line)] == [w.hex(), b.hex()]


def test_the_file_is_json_of_the_documented_form(tmp_path):
    Line(math.nan, -math.inf).save(tmp_path / "line.json")
    assert json.loads((tmp_path / "line.json").read_text(), parse_constant=pytest.fail) == {
        "format": "autograd_lite.parameters",
        "version": 1,
        "parameters": {"w": "nan", "b": "-inf"},
    }
    assert os.listdir(tmp_path) == ["line.json"]


def test_a_model_survives(tmp_path):
    model, other = MLP(2, [3, 1], seed=0), MLP(2, [3, 1], seed=1)
    model.save(tmp_path / "model.json")
    same = other.parameters()
    other.load(tmp_path / "model.json")
    assert data(other) == data(model)
    assert other.parameters() == same


@pytest.mark.parametrize("broken", ["fsync", "replace", "open"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, broken, error):
    path = tmp_path / "line.json"
    Line(1.0, 2.0).save(path)
    old = path.read_bytes()

    def fail(first, *args, **kwargs):
        raise error

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(type(error)):
        Line(3.0, 4.0).save(path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["line.json"]


GOOD = {"format": "autograd_lite.parameters", "version": 1, "parameters": {"w": 1.0, "b": 2.0}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON .*: give a file written by save"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ([1.0], "does not hold autograd_lite.parameters: give a file written by save"),
        ({}, "does not hold autograd_lite.parameters"),
        (GOOD | {"format": "other"}, "does not hold autograd_lite.parameters"),
        (GOOD | {"version": 2}, "has version 2, this library reads 1: write it again"),
        ({"format": GOOD["format"]}, "has version None"),
        (GOOD | {"parameters": [1.0]}, "has no table of parameters: give a file"),
        (GOOD | {"parameters": {"w": 5.0}}, "lacks b: it was saved from a module of another shape"),
        (GOOD | {"parameters": {}}, "lacks w, b"),
        (GOOD | {"parameters": {"w": 5.0, "b": 5.0, "c": 5.0}}, "also holds c: it was saved from a module of another shape"),
        (GOOD | {"parameters": dict.fromkeys("wbcdefg", 5.0)}, "also holds c, d, e and 2 more"),
        (GOOD | {"parameters": {"w": 5.0, "b": "x"}}, "gives b='x', which is not a number: give a file"),
        (GOOD | {"parameters": {"w": 5.0, "b": 10**400}}, "gives b as an int too large for a double"),
        (GOOD | {"parameters": {"w": 5.0, "b": None}}, "gives b=None, which is not a number"),
        (GOOD | {"parameters": {"w": 5.0, "b": True}}, "gives b=True, which is not a number"),
        (GOOD | {"parameters": {"w": 5.0, "b": [1.0]}}, r"gives b=\[1\.0\], which is not a number"),
    ],
)
def test_files_that_are_refused_change_nothing(tmp_path, content, message):
    path = tmp_path / "line.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    line = Line(1.0, 2.0)
    with pytest.raises(InputValueError, match=f"{re.escape(str(path))} {message}") as caught:
        line.load(path)
    assert isinstance(caught.value, ValueError)
    assert data(line) == [1.0, 2.0]


def test_a_number_beyond_a_double_changes_nothing(tmp_path):
    path = tmp_path / "line.json"
    path.write_text(json.dumps(GOOD | {"parameters": {"w": 5.0, "b": 10**400}}))
    line = Line(1.0, 2.0)
    with pytest.raises(AutogradError):
        line.load(path)
    assert data(line) == [1.0, 2.0]


def test_a_missing_file_is_pythons_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Line(1.0, 2.0).load(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError):
        Line(1.0, 2.0).save(tmp_path / "none" / "line.json")


def test_a_computed_attribute_is_refused_before_anything_is_loaded(tmp_path):
    class Half(nn.Module):
        def __init__(self, computed):
            self.a = Value(1.0)
            self.b = Value(2.0) * 3 if computed else Value(2.0)

    Half(False).save(tmp_path / "p.json")
    module = Half(True)
    module.a.data = 7.0
    with pytest.raises(errors.NotALeafError, match="b cannot be set: computed from other Values; keep only leaves"):
        module.load(tmp_path / "p.json")
    assert module.a.data == 7.0


def test_values_in_object_arrays_are_parameters_and_a_module_may_refer_to_itself():
    np = pytest.importorskip("numpy")

    class Odd(nn.Module):
        def __init__(self):
            self.w = np.array([Value(1.0), Value(2.0)])
            self.me = self

    module = Odd()
    assert [n for n, _ in module.named_parameters()] == ["w.0", "w.1"]
    gradient = value_and_grad(lambda m: m.w[0] * m.w[1])(module)[1]
    assert [p.data for p in gradient.parameters()] == [2.0, 1.0]
    assert gradient.me is gradient


def test_hinge_refuses_other_labels():
    with pytest.raises(errors.InputValueError, match=r"labels\[1\]=0 must be -1 or 1: turn 0 and 1 into them with 2 \* y - 1"):
        nn.hinge([1.0, 1.0], [1, 0])


# -- where parameters are found ---------------------------------------------------------------------------------------


class Slotted(nn.Module):
    __slots__ = ("b", "w")

    def __init__(self):
        self.w, self.b = Value(2.0), Value(3.0)


@dataclass
class Held:
    w: Value
    b: Value
    note: str = "n"


@dataclass(frozen=True, slots=True)
class Frozen:
    w: Value
    b: Value


@dataclass
class Data(nn.Module):
    w: Value
    b: Value


def holding(thing):
    module = nn.Module()
    module.held = thing
    return module


HOLDERS = {
    "slots": (Slotted, lambda m: (m.w, m.b), ["b", "w"]),
    "dataclass": (lambda: holding(Held(Value(2.0), Value(3.0))), lambda m: (m.held.w, m.held.b), ["held.w", "held.b"]),
    "frozen": (lambda: holding(Frozen(Value(2.0), Value(3.0))), lambda m: (m.held.w, m.held.b), ["held.w", "held.b"]),
    "module": (lambda: Data(Value(2.0), Value(3.0)), lambda m: (m.w, m.b), ["w", "b"]),
    "deque": (lambda: holding(deque([Value(2.0), Value(3.0)], 5)), lambda m: tuple(m.held), ["held.0", "held.1"]),
    "namespace": (
        lambda: holding(SimpleNamespace(w=Value(2.0), b=[Value(3.0)])),
        lambda m: (m.held.w, m.held.b[0]), ["held.w", "held.b.0"],
    ),
    "dict": (
        lambda: holding({"w": Value(2.0), "b": [Value(3.0)]}),
        lambda m: (m.held["w"], m.held["b"][0]), ["held.w", "held.b.0"],
    ),
    "defaultdict": (
        lambda: holding(defaultdict(list, w=Value(2.0), b=Value(3.0))),
        lambda m: (m.held["w"], m.held["b"]), ["held.w", "held.b"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "read", "names"), HOLDERS.values(), ids=HOLDERS)
def test_parameters_are_found_wherever_a_module_holds_them(make, read, names):
    module = make()
    assert sorted(name for name, _ in module.named_parameters()) == sorted(names)

    def loss(m):
        w, b = read(m)
        return w * w * b

    for transform in (grad, lambda f: jit(grad(f))):
        slopes = transform(loss)(module)
        assert type(slopes) is type(module)
        assert [p.data for p in read(slopes)] == [12.0, 4.0]
        assert [p.data for p in read(module)] == [2.0, 3.0]
    optim.SGD(module, lr=0.5).step(grad(loss)(module))
    assert [p.data for p in read(module)] == [-4.0, 1.0]
    if hasattr(module, "held") and isinstance(module.held, deque):
        assert slopes.held.maxlen == 5


def test_a_set_of_parameters_is_refused():
    with pytest.raises(InputTypeError, match="a set of parameters, which have no order there: keep them in a list or a dict"):
        holding({Value(1.0), Value(2.0)}).parameters()
    assert holding({1.0, 2.0}).parameters() == []


@pytest.mark.parametrize(
    "kind", [UserList, lambda held: UserDict(enumerate(held)), lambda held: MappingProxyType({"w": held[0]})]
)
def test_and_so_are_containers_where_none_are_looked_for(kind):
    with pytest.raises(InputTypeError, match=r"a \w+ of parameters, where none are looked for: keep them in a list or a dict"):
        holding(kind([Value(1.0)])).parameters()
    assert holding(kind(["text"])).parameters() == []


def test_settings_in_a_dataclass_are_shared():
    @dataclass
    class Settings:
        rate: float = 0.5

    module = holding([Settings(), Value(1.0)])
    assert grad(lambda m: m.held[0].rate * m.held[1])(module).held[0] is module.held[0]


# -- saturated predictions --------------------------------------------------------------------------------------------

INF = math.inf
# loss, predictions, targets, and by hand the loss and its slope by each prediction
SATURATED = [
    (nn.binary_cross_entropy_with_logits, [INF], [1.0], 0.0, [0.0]),
    (nn.binary_cross_entropy_with_logits, [-INF], [0.0], 0.0, [0.0]),
    (nn.binary_cross_entropy_with_logits, [INF], [0.0], INF, [1.0]),
    (nn.binary_cross_entropy_with_logits, [-INF], [1.0], INF, [-1.0]),
    (nn.binary_cross_entropy_with_logits, [INF, 0.0], [1.0, 0.0], math.log(2.0) / 2, [0.0, 0.25]),
    (nn.binary_cross_entropy_with_logits, [INF], [0.25], INF, [0.75]),
    (nn.cross_entropy, [5.0, -INF], [1.0, 0.0], 0.0, [0.0, 0.0]),
    (nn.cross_entropy, [5.0, -INF, 5.0], [0.5, 0.0, 0.5], math.log(2.0), [0.0, 0.0, 0.0]),
    (nn.cross_entropy, [5.0, -INF, 5.0], [1.0, 0.0, 0.0], math.log(2.0), [-0.5, 0.0, 0.5]),
    (nn.cross_entropy, [INF, 0.0], [1.0, 0.0], 0.0, [0.0, 0.0]),
    (nn.cross_entropy, [5.0, -INF], [0.5, 0.5], INF, [0.5, -0.5]),
    (nn.hinge, [INF], [1.0], 0.0, [0.0]),
    (nn.hinge, [-INF], [-1.0], 0.0, [0.0]),
    (nn.hinge, [-INF], [1.0], INF, [-1.0]),
    (nn.huber, [INF], [INF], 0.0, [0.0]),
    (nn.huber, [INF], [1.0], INF, [1.0]),
    (nn.mae, [-INF], [-INF], 0.0, [0.0]),
    (nn.mae, [-INF], [1.0], INF, [-1.0]),
    (nn.mse, [INF], [INF], 0.0, [0.0]),
    (nn.mse, [INF], [1.0], INF, [INF]),
]


@pytest.mark.parametrize(("loss", "predictions", "targets", "value", "slopes"), SATURATED)
def test_a_saturated_prediction_costs_what_it_should(loss, predictions, targets, value, slopes):
    count = len(predictions)
    both = [np.array([x]) for x in (*predictions, *targets)]
    of_targets = value_and_grad(lambda p: loss(p, targets))(predictions)
    assert of_targets == (pytest.approx(value, rel=1e-15), pytest.approx(slopes, abs=1e-15))

    def of_all(*numbers):
        return loss(list(numbers[:count]), list(numbers[count:]))

    argnums = tuple(range(count))
    for function in (value_and_grad(of_all, argnums), jit(value_and_grad(of_all, argnums))):
        if loss is not nn.hinge:  # whose labels are checked
            assert function(*predictions, *targets) == (pytest.approx(value), pytest.approx(slopes, abs=1e-15))
    for backend in ("python", "numpy", "llvm"):
        function = jit(value_and_grad(of_all, argnums), batch=tuple(range(2 * count)), backend=backend)
        found, by = function(*both)
        assert [found.tolist(), *[b.tolist() for b in by]] == [[pytest.approx(x, abs=1e-15)] for x in (value, *slopes)]


@pytest.mark.parametrize("k", range(3))
def test_cross_entropy_of_an_index_beside_impossible_classes(k):
    row = [-INF, -INF, -INF]
    row[k] = 2.0
    value, slopes = value_and_grad(nn.cross_entropy)(row, k)
    assert (value, slopes) == (0.0, [0.0, 0.0, 0.0])
    assert nn.cross_entropy(row, np.array(k)) == nn.cross_entropy(row, np.int64(k)) == 0.0


def test_the_slope_by_a_target_stays():
    slope = grad(nn.binary_cross_entropy_with_logits, 1)
    for z in (0.5, INF, -INF):
        assert [slope(z, y) for y in (0.0, 0.25, 1.0)] == [-z] * 3
        assert [jit(slope)(z, y) for y in (0.0, 0.25, 1.0)] == [-z] * 3
    for y in (0.0, 0.25, 1.0):
        for order in ((0, 1), (1, 0)):
            assert grad(grad(nn.binary_cross_entropy_with_logits, order[0]), order[1])(0.5, y) == pytest.approx(-1.0)
            assert jit(grad(grad(nn.binary_cross_entropy_with_logits, order[0]), order[1]))(0.5, y) == pytest.approx(-1.0)
    assert grad(nn.cross_entropy, 1)([5.0, -INF], [1.0, 0.0]) == [0.0, INF]
    slope = grad(nn.cross_entropy, 1)
    assert slope([0.0, 0.0], [0.0, 1.0]) == pytest.approx([math.log(2.0)] * 2)


def test_probabilities_are_one_for_each_class():
    with pytest.raises(StructureError, match="cross_entropy of 2 scores and 3 probabilities: give one for each class"):
        nn.cross_entropy([1.0, 2.0], [0.5, 0.25, 0.25])
