# ruff: noqa: N803, N806, UP031 (names and text as notebooks have them)
"""What micrograd's demo notebooks and its lecture do, cell by cell, written anew: only the import is another.

Right values are by hand, by math, or of micrograd itself where it is installed.
"""

from __future__ import annotations

import math
import random
import sys
from functools import partial

import numpy as np
import pytest

from autograd_lite import Op, Value, draw_dot
from autograd_lite.errors import InputTypeError
from autograd_lite.nn import MLP, Layer, Module, Neuron

# -- the lecture: derivatives, the graph, the chain rule by hand ------------------------------------------------------


def first_graph():
    """L = (a*b + c) * f, with labels."""
    a, b, c = Value(2.0, label="a"), Value(-3.0, label="b"), Value(10.0, label="c")
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    f = Value(-2.0, label="f")
    L = d * f
    L.label = "L"
    return a, b, c, d, e, f, L


def test_labels_children_and_ops():
    a, b, c, d, e, f, L = first_graph()
    assert [v.label for v in (a, b, c, d, e, f, L)] == list("abcdefL")
    assert (a.name, (a + b).label) == ("a", "")
    assert d._prev == {e, c}
    assert (L._op, d._op, a._op, (a**2)._op, a.tanh()._op) == ("*", "+", "", "**2", "tanh")
    assert L.data == -8.0
    assert repr(a) == "Value(data=2.0, grad=0.0, name='a')"


def test_gradients_set_by_hand_and_by_differences():
    a, b, c, d, e, f, L = first_graph()
    L.grad = 1.0
    f.grad, d.grad = 4.0, -2.0
    c.grad = e.grad = d.grad
    a.grad, b.grad = e.grad * b.data, e.grad * a.data
    by_hand = [v.grad for v in (a, b, c, d, e, f)]

    def moved(name, h=1e-3):
        parts = {"a": 2.0, "b": -3.0, "c": 10.0, "f": -2.0}
        parts[name] += h
        x, y, z, w = (Value(n) for n in parts.values())
        return ((x * y + z) * w).data

    assert [(moved(n) - -8.0) / 1e-3 for n in "abcf"] == pytest.approx([6.0, -4.0, -2.0, 4.0], abs=1e-9)
    for v in (a, b, c, f):
        v.grad = 0.0
    L.backward()
    assert [v.grad for v in (a, b, c, d, e, f)] == by_hand == [6.0, -4.0, -2.0, -2.0, -2.0, 4.0]


def test_a_nudge_along_the_gradient():
    a, b, c, _, _, f, L = first_graph()
    L.backward()
    for v in (a, b, c, f):
        v.data += 0.01 * v.grad
    assert ((a * b + c) * f).data == pytest.approx(-7.286496, abs=1e-12)


def neuron(bend):
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    n = x1 * w1 + x2 * w2 + b
    n.label = "n"
    o = bend(n)
    o.label = "o"
    return x1, x2, w1, w2, b, n, o


def exponentials(n):
    e = (2 * n).exp()
    return (e - 1) / (e + 1)


def test_backward_called_on_each_node_by_hand():
    x1, x2, w1, w2, _, n, o = neuron(lambda n: n.tanh())
    o.grad = 1.0
    o._backward()
    assert n.grad == pytest.approx(0.5)
    n._backward()
    for term in n._prev:
        term._backward()
    for term in n._prev:
        for part in term._prev:
            part._backward()
    assert [v.grad for v in (x1, w1, x2, w2)] == pytest.approx([-1.5, 1.0, 0.5, 0.0])
    x1._backward()  # of a leaf nothing


def sorted_graph(root):
    """Operands before results, by a recursion over `_prev`."""
    topo, visited = [], set()

    def build(v):
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                build(child)
            topo.append(v)

    build(root)
    return topo


@pytest.mark.parametrize("bend", [lambda n: n.tanh(), exponentials, lambda n: n.relu()])
def test_backward_in_reversed_topological_order(bend):
    *leaves, n, o = neuron(bend)
    o.grad = 1.0
    for node in reversed(sorted_graph(o)):
        node._backward()
    by_hand = [v.grad for v in (*leaves, n)]
    *leaves, n, o = neuron(bend)
    o.backward()
    assert by_hand == [v.grad for v in (*leaves, n)]
    slope = 1.0 if o._op == "ReLU" else 0.5
    assert by_hand == pytest.approx([-3.0 * slope, slope, 2.0 * slope, 0.0, slope, slope])


def test_a_value_used_twice():
    a = Value(3.0, label="a")
    b = a + a
    b.label = "b"
    b.grad = 1  # an int, as micrograd sets it
    b._backward()
    assert a.grad == 2.0
    a, b = Value(-2.0, label="a"), Value(3.0, label="b")
    d, e = a * b, a + b
    f = d * e
    f.backward()
    assert (a.grad, b.grad) == (-3.0, -8.0)
    x = Value(3.0)
    y = x * x
    assert y._prev == {x}
    y.grad = 1.0
    y._backward()
    assert x.grad == 6.0


def test_numbers_on_either_side():
    a = Value(2.0)
    assert ((a + 1).data, (1 + a).data, (a * 2).data, (2 * a).data, (a / 4).data, (2 - a).data, (a - 2).data, (2**a).data) == (
        3.0, 3.0, 4.0, 4.0, 0.5, 0.0, 0.0, 4.0,
    )  # fmt: skip


def test_an_operation_of_ones_own_is_a_row():
    x = Value(0.5, label="x")
    t = math.tanh(0.5)
    with pytest.raises(InputTypeError, match=r'an operation of your own is a row, tanh = Op\("tanh", lambda x: \.\.\.'):
        Value(t, (x,), "tanh")
    with pytest.raises(InputTypeError, match=r"a Value finds its operands by itself; .* row"):
        Value(t, (x,))
    out = x.tanh()
    with pytest.raises(AttributeError, match=r'_backward of a Value of .* cannot be set: .* tanh = Op\("tanh"'):
        out._backward = lambda: None
    tanh = Op("tanh", math.tanh, lambda x, out: 1 - out**2)
    own = tanh(x)
    assert own._op == "tanh"
    own.grad = 1.0
    own._backward()
    assert x.grad == 1 - t**2
    for name in ("_prev", "_op"):
        with pytest.raises(AttributeError, match=rf"{name} of a Value of .* cannot be set: an operation of your own is a row"):
            setattr(own, name, {x})
    with pytest.raises(InputTypeError, match="a Value finds its operands by itself"):
        Value(t, _children=(x,), _op="tanh")


@pytest.mark.parametrize("given", [((), ""), ((), "", "a"), (set(),)])
def test_a_leaf_may_say_that_it_has_no_operands(given):
    """As micrograd's constructor and the lecture's, whose last argument is the label."""
    v = Value(2.0, *given)
    assert (v.data, v.label, v._prev) == (2.0, "a" if len(given) == 3 else "", set())
    assert Value(2.0, _children=(), _op="", label="b").label == "b"


def test_labels_that_are_none():
    with pytest.raises(InputTypeError, match="name=3 must be a string"):
        Value(1.0, label=3)
    with pytest.raises(InputTypeError, match="name='a' and label='b' are one thing: give one of them"):
        Value(1.0, "a", label="b")
    a = Value(1.0, "a")
    a.label = ""
    assert (a.label, a.name) == ("", None)
    with pytest.raises(InputTypeError, match=r"name=1\.0 must be a string"):
        a.label = 1.0


# -- the lecture: a network of the listener's own ---------------------------------------------------------------------


class OwnNeuron:
    def __init__(self, nin):
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(random.uniform(-1, 1))

    def __call__(self, x):
        return sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b).tanh()

    def parameters(self):
        return [*self.w, self.b]


class OwnLayer:
    def __init__(self, nin, nout):
        self.neurons = [OwnNeuron(nin) for _ in range(nout)]

    def __call__(self, x):
        outs = [n(x) for n in self.neurons]
        return outs[0] if len(outs) == 1 else outs

    def parameters(self):
        return [p for neuron in self.neurons for p in neuron.parameters()]


class OwnMLP:
    def __init__(self, nin, nouts):
        sizes = [nin, *nouts]
        self.layers = [OwnLayer(sizes[i], sizes[i + 1]) for i in range(len(nouts))]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]


XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]


@pytest.mark.parametrize("network", [OwnMLP, partial(MLP, activation="tanh")])
def test_the_lectures_training_loop(network):
    random.seed(1337)
    n = network(3, [4, 4, 1])
    assert len(n.parameters()) == 41
    losses = []
    for _ in range(60):
        ypred = [n(x) for x in XS]
        loss = sum((yout - ygt) ** 2 for ygt, yout in zip(YS, ypred, strict=True))
        for p in n.parameters():
            p.grad = 0.0
        loss.backward()
        for p in n.parameters():
            p.data += -0.05 * p.grad
        losses.append(loss.data)
    assert n.layers[0].neurons[0].w[0].grad != 0.0
    assert losses[-1] < 0.2 < losses[0]


# -- demo.ipynb: two moons, a max-margin loss -------------------------------------------------------------------------


def moons(count, seed):
    """Two half circles with labels -1 and 1, as arrays of NumPy's numbers."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, np.pi, count // 2)
    upper, lower = np.c_[np.cos(angle), np.sin(angle)], np.c_[1 - np.cos(angle), 0.5 - np.sin(angle)]
    X = np.r_[upper, lower] + rng.normal(0, 0.1, (count, 2))
    return X, np.r_[np.full(count // 2, -1), np.full(count // 2, 1)]


def moons_loss(model, X, y, value, batch_size=None):
    if batch_size is None:
        Xb, yb = X, y
    else:
        chosen = np.random.permutation(X.shape[0])[:batch_size]
        Xb, yb = X[chosen], y[chosen]
    inputs = [list(map(value, row)) for row in Xb]
    scores = list(map(model, inputs))
    losses = [(1 + -yi * score).relu() for yi, score in zip(yb, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    reg_loss = 1e-4 * sum(p * p for p in model.parameters())
    accuracy = [(yi > 0) == (score.data > 0) for yi, score in zip(yb, scores, strict=True)]
    return data_loss + reg_loss, sum(accuracy) / len(accuracy)


def trained(mlp, value, steps):
    X, y = moons(20, 0)
    random.seed(1337)
    model = mlp(2, [8, 8, 1])
    for p, i in zip(model.parameters(), range(1000), strict=False):  # weights of our own, the same for both
        p.data = math.sin(3.0 * i + 1.0)
    seen = []
    for k in range(steps):
        total_loss, acc = moons_loss(model, X, y, value)
        model.zero_grad()
        total_loss.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        seen.append((total_loss.data, acc))
    return model, seen


def test_two_moons_are_learned():
    model, seen = trained(MLP, Value, 100)
    assert seen[-1][0] < 0.5 * seen[0][0]
    assert seen[-1][1] >= 0.9
    xx, yy = np.meshgrid(np.arange(-1.0, 2.0, 1.0), np.arange(-1.0, 1.5, 1.0))
    scores = list(map(model, [list(map(Value, row)) for row in np.c_[xx.ravel(), yy.ravel()]]))
    Z = np.array([s.data > 0 for s in scores]).reshape(xx.shape)
    assert Z.dtype == bool
    assert np.array_equal(Z, np.array([s > 0 for s in scores]).reshape(xx.shape))
    np.random.seed(0)
    X, y = moons(20, 0)
    assert math.isfinite(moons_loss(model, X, y, Value, batch_size=5)[0].data)


def test_two_moons_step_by_step_as_micrograd_has_it():
    nn = pytest.importorskip("micrograd.nn", reason="micrograd is not installed")
    theirs = trained(nn.MLP, sys.modules["micrograd.engine"].Value, 8)[1]
    ours = trained(MLP, Value, 8)[1]
    assert [loss for loss, _ in ours] == pytest.approx([loss for loss, _ in theirs], rel=1e-9)
    assert [acc for _, acc in ours] == [acc for _, acc in theirs]


def test_modules_as_micrograd_has_them():
    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337
    assert str(model) == f"MLP of [{', '.join(map(str, model.layers))}]"
    assert str(model.layers[-1]) == "Layer of [LinearNeuron(16)]"
    n = model.layers[0].neurons[0]
    assert (n.nonlin, len(n.w), n.b.data, model.layers[-1].neurons[0].nonlin) == (True, 2, 0.0, False)
    n.nonlin = False
    assert (n.nonlin, n([Value(1.0), Value(-2.0)]).data) == (False, n.w[0].data - 2.0 * n.w[1].data + n.b.data)
    n.nonlin = True
    assert n([1.0, -2.0])._op == "ReLU"
    assert [Neuron(2, False).nonlin, Neuron(2, nonlin=False).nonlin, Neuron(2, True).nonlin] == [False, False, True]
    assert [m.nonlin for m in Layer(2, 2, nonlin=False).neurons] == [False, False]

    class Own(Module):
        def __init__(self):
            self.scale = Value(2.0)

        def parameters(self):
            return [self.scale]

    own = Own()
    (own.scale * 3.0).backward()
    own.zero_grad()
    assert own.scale.grad == 0.0


# -- trace_graph.ipynb, and the lecture's picture ---------------------------------------------------------------------


def trace(root):
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    return nodes, edges


def test_a_trace_of_the_graph_by_hand():
    o = neuron(lambda n: n.tanh())[-1]
    o.backward()
    nodes, edges = trace(o)
    assert (len(nodes), len(edges)) == (10, 9)
    text = {f"{{ {v.label} | data {v.data:.4f} | grad {v.grad:.4f} }}" for v in nodes}
    assert "{ n | data 0.8814 | grad 0.5000 }" in text
    assert {f"{{ data {v.data:.4f} | grad {v.grad:.4f} }}" for v in nodes} == {
        "{ data %.4f | grad %.4f }" % (v.data, v.grad) for v in nodes
    }
    assert {v._op for v in nodes if v._op} == {"+", "*", "tanh"}
    assert len({str(id(v)) + v._op for v in nodes}) == 10


def test_draw_dot():
    pytest.importorskip("graphviz")
    x = Value(1.0)
    y = (x * 2 + 1).relu()
    y.backward()
    assert x.grad == 2.0
    assert "digraph" in draw_dot(y).source
    random.seed(1337)
    n = Neuron(2)
    y = n([Value(1.0), Value(-2.0)])
    y.backward()
    assert "rankdir=LR" in draw_dot(y, format="svg", rankdir="LR").source.replace('"', "")
