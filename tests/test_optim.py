"""Optimizers, schedules and clipping: trajectories against closed forms and torch.optim, messages, all-or-nothing."""

import copy
import json
import math
import pickle
import re
import warnings

import pytest

from autograd_lite import Value
from autograd_lite.errors import (
    GradientWarning,
    InputTypeError,
    InputValueError,
    NonFiniteGradientError,
    NotALeafError,
    StructureError,
)
from autograd_lite.optim import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    Optimizer,
    RMSprop,
    StepLR,
    clip_grad_norm,
)

STEPS = 100


class Param:
    """All that an optimizer may know of a parameter."""

    def __init__(self, data, grad=0.0, name=None, op=None):
        self.data, self.grad, self.name, self.op = data, grad, name, op


class Module:
    def __init__(self, **params):
        self.params = params

    def named_parameters(self):
        yield from self.params.items()


def bowl(x):
    """Gradient of x0**2/2 + 5 * x1**2 + (x2 - 1)**2/20."""
    return [x[0], 10.0 * x[1], 0.1 * (x[2] - 1.0)]


def rosenbrock(x):
    """Gradient of (1 - x0)**2 + 10 * (x1 - x0**2)**2 + x2**2."""
    return [-2.0 * (1.0 - x[0]) - 40.0 * x[0] * (x[1] - x[0] ** 2), 20.0 * (x[1] - x[0] ** 2), 2.0 * x[2]]


def ripples(x):
    """Gradient of sum of x**2/2 + sin(3 x): bounded curvature, several minima, signs that change."""
    return [v + 3.0 * math.cos(3.0 * v) for v in x]


OBJECTIVES = [bowl, rosenbrock, ripples]
START = [-1.2, 1.0, 0.3]

OPTIMIZERS = [
    (SGD, {"lr": 0.01}),
    (SGD, {"lr": 0.01, "momentum": 0.9}),
    (SGD, {"lr": 0.01, "momentum": 0.9, "dampening": 0.5}),
    (SGD, {"lr": 0.01, "dampening": 0.5}),
    (SGD, {"lr": 0.005, "momentum": 0.8, "nesterov": True}),
    (SGD, {"lr": 0.005, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    (SGD, {"lr": 0.01, "weight_decay": 0.1}),
    (Adam, {}),
    (Adam, {"lr": 0.1}),
    (Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4}),
    (Adam, {"lr": 0.05, "betas": (0.0, 0.0)}),
    (Adam, {"lr": 0.05, "weight_decay": 0.1}),
    (AdamW, {}),
    (AdamW, {"lr": 0.05, "weight_decay": 0.3}),
    (RMSprop, {}),
    (RMSprop, {"lr": 0.005, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
    (RMSprop, {"lr": 0.01, "momentum": 0.9}),
    (RMSprop, {"lr": 0.01, "centered": True}),
    (RMSprop, {"lr": 0.002, "momentum": 0.5, "centered": True, "weight_decay": 0.01}),
    (Adagrad, {}),
    (Adagrad, {"lr": 0.5, "lr_decay": 0.01, "weight_decay": 0.1}),
    (Adagrad, {"lr": 0.5, "initial_accumulator_value": 0.7, "eps": 1e-3}),
]


def label(case):
    if isinstance(case, dict):
        return ",".join(f"{k}={v}" for k, v in case.items()) or "defaults"
    return getattr(case, "__name__", "end")


def trajectory(optimizer, params, gradient, steps=STEPS, schedules=()):
    path = []
    for _ in range(steps):
        for p, g in zip(params, gradient([p.data for p in params]), strict=True):
            p.grad = g + 0.0
        optimizer.step()
        for schedule in schedules:
            schedule.step()
        path.append([p.data for p in params])
    return path


def made(kind, data=START, **settings):
    params = [Param(x) for x in data]
    return kind(params, **settings), params


# ---------------------------------------------------------------- trajectories


@pytest.mark.parametrize("gradient", OBJECTIVES, ids=label)
@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=label)
def test_trajectory_equals_torch(kind, settings, gradient):
    torch = pytest.importorskip("torch", reason="torch is only in the extra that compares with it")
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]
    peer = getattr(torch.optim, kind.__name__)(theirs, foreach=False, **settings)
    optimizer, params = made(kind, **settings)
    for step, ours in enumerate(trajectory(optimizer, params, gradient)):
        for p, g in zip(theirs, gradient([p.item() for p in theirs]), strict=True):
            p.grad = torch.tensor(g, dtype=torch.float64)
        peer.step()
        assert ours == pytest.approx([p.item() for p in theirs], rel=1e-12, abs=1e-12), f"after {step + 1} steps"


SCHEDULES = [
    [(StepLR, {"step_size": 30})],
    [(StepLR, {"step_size": 7, "gamma": 0.5})],
    [(ExponentialLR, {"gamma": 0.97})],
    [(CosineAnnealingLR, {"T_max": 100})],
    [(CosineAnnealingLR, {"T_max": 120, "eta_min": 0.004})],
    [(LinearLR, {})],
    [(LinearLR, {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 20})],
    [(LinearLR, {"start_factor": 0.1, "total_iters": 20}), (CosineAnnealingLR, {"T_max": 150})],
    [(LinearLR, {}), (ExponentialLR, {"gamma": 0.9}), (StepLR, {"step_size": 40})],
]


@pytest.mark.parametrize("chain", SCHEDULES, ids=lambda chain: "*".join(kind.__name__ for kind, _ in chain))
def test_schedules_equal_torch(chain):
    torch = pytest.importorskip("torch", reason="torch is only in the extra that compares with it")
    parameter = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    parameter.grad = torch.tensor(0.0, dtype=torch.float64)
    peer = torch.optim.SGD([parameter], lr=0.02)
    optimizer, _ = made(SGD, lr=0.02)
    theirs = [getattr(torch.optim.lr_scheduler, kind.__name__)(peer, **settings) for kind, settings in chain]
    ours = [kind(optimizer, **settings) for kind, settings in chain]
    for _ in range(STEPS):
        assert optimizer.lr == pytest.approx(peer.param_groups[0]["lr"], rel=1e-12, abs=1e-16)
        peer.step()
        for schedule in [*theirs, *ours]:
            schedule.step()


def test_a_schedule_moves_the_trajectory_as_in_torch():
    torch = pytest.importorskip("torch", reason="torch is only in the extra that compares with it")
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]
    peer = torch.optim.AdamW(theirs, lr=0.1, foreach=False)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(peer, T_max=STEPS)
    optimizer, params = made(AdamW, lr=0.1)
    path = trajectory(optimizer, params, rosenbrock, schedules=[CosineAnnealingLR(optimizer, T_max=STEPS)])
    for ours in path:
        for p, g in zip(theirs, rosenbrock([p.item() for p in theirs]), strict=True):
            p.grad = torch.tensor(g, dtype=torch.float64)
        peer.step()
        schedule.step()
        assert ours == pytest.approx([p.item() for p in theirs], rel=1e-12, abs=1e-12)


# Each closed form is derived apart from the update rule; (kind, settings, gradient, data after t steps).
CLOSED_FORMS = {
    "SGD on x**2/2": (SGD, {"lr": 0.1}, lambda x: x, lambda t: 2 * 0.9**t),
    "SGD with decay alone": (SGD, {"lr": 0.1, "weight_decay": 0.5}, lambda x: 0.0, lambda t: 2 * 0.95**t),
    "momentum, constant gradient": (  # the buffer is 1 + m + ... + m**(k-1) = (1 - m**k) / (1 - m)
        SGD, {"lr": 0.1, "momentum": 0.5}, lambda x: 1.0,
        lambda t: 2 - 0.1 * sum((1 - 0.5**k) / 0.5 for k in range(1, t + 1)),
    ),
    "Nesterov, constant gradient": (  # one step ahead: 1 + m * buffer_k = buffer_(k+1)
        SGD, {"lr": 0.1, "momentum": 0.5, "nesterov": True}, lambda x: 1.0,
        lambda t: 2 - 0.1 * sum((1 - 0.5**k) / 0.5 for k in range(2, t + 2)),
    ),
    "Adam, constant gradient": (  # both means are exact, every step is lr * g / (|g| + eps)
        Adam, {"lr": 0.1, "eps": 0.5}, lambda x: -3.0, lambda t: 2 + t * 0.1 * 3 / 3.5,
    ),
    "AdamW with decay alone": (AdamW, {"lr": 0.1, "weight_decay": 0.5}, lambda x: 0.0, lambda t: 2 * 0.95**t),
    "RMSprop, constant gradient": (  # v = g**2 (1 - alpha**k)
        RMSprop, {"lr": 0.1, "alpha": 0.9, "eps": 1e-20}, lambda x: 3.0,
        lambda t: 2 - 0.1 * sum((1 - 0.9**k) ** -0.5 for k in range(1, t + 1)),
    ),
    "RMSprop centered, constant gradient": (  # v = g**2 a (1 - a) with a = alpha**k
        RMSprop, {"lr": 0.1, "alpha": 0.9, "eps": 1e-20, "centered": True}, lambda x: 3.0,
        lambda t: 2 - 0.1 * sum((0.9**k * (1 - 0.9**k)) ** -0.5 for k in range(1, t + 1)),
    ),
    "Adagrad, constant gradient": (  # v = k g**2
        Adagrad, {"lr": 0.1, "eps": 1e-20}, lambda x: 3.0, lambda t: 2 - 0.1 * sum(k**-0.5 for k in range(1, t + 1)),
    ),
    "Adagrad with lr_decay and a start": (  # v = 16 + 9 k
        Adagrad, {"lr": 0.1, "eps": 1e-20, "lr_decay": 0.5, "initial_accumulator_value": 16.0}, lambda x: 3.0,
        lambda t: 2 - sum(0.1 / (1 + 0.5 * (k - 1)) * 3 / math.sqrt(16 + 9 * k) for k in range(1, t + 1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSED_FORMS)
def test_trajectory_equals_closed_form(case):
    kind, settings, gradient, data = CLOSED_FORMS[case]
    optimizer, params = made(kind, [2.0], **settings)
    path = trajectory(optimizer, params, lambda x: [gradient(x[0])], steps=40)
    assert [x for (x,) in path] == pytest.approx([data(t) for t in range(1, 41)], rel=1e-12)


def test_momentum_is_polyaks_heavy_ball():
    optimizer, params = made(SGD, lr=0.01, momentum=0.9)
    before, now = START, START
    for ours in trajectory(optimizer, params, rosenbrock):
        moved = [x - 0.01 * g + 0.9 * (x - b) for x, b, g in zip(now, before, rosenbrock(now), strict=True)]
        before, now = now, moved
        assert ours == pytest.approx(now, rel=1e-11)


# Data after 100 steps on `rosenbrock` from START, recorded from torch 2.13 in float64.
RECORDED = [
    (SGD, {"lr": 0.01}, [0.361098809720875, 0.0995826094662484, 0.039785866768426]),
    (
        SGD,
        {"lr": 0.005, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        [0.7761921259264287, 0.5931003509024763, 0.00031899169904326524],
    ),
    (Adam, {"lr": 0.05, "weight_decay": 0.1}, [0.4622514891041557, 0.19348812099333051, 0.0013518572277991842]),
    (AdamW, {"lr": 0.05, "weight_decay": 0.3}, [0.5009880853600834, 0.23840565922006904, 0.0003293353282774355]),
    (
        RMSprop,
        {"lr": 0.002, "momentum": 0.5, "centered": True, "weight_decay": 0.01},
        [-0.865621849048909, 0.8092211783312617, 8.04733578975757e-05],
    ),
    (
        Adagrad,
        {"lr": 0.5, "lr_decay": 0.01, "weight_decay": 0.1},
        [0.4171535250804916, 0.15321325602177646, 4.664350029096647e-89],
    ),
]


@pytest.mark.parametrize(("kind", "settings", "end"), RECORDED, ids=label)
def test_trajectory_ends_where_torch_was_recorded(kind, settings, end):
    optimizer, params = made(kind, **settings)
    assert trajectory(optimizer, params, rosenbrock)[-1] == pytest.approx(end, rel=1e-12, abs=1e-12)


def test_a_variance_that_rounding_makes_negative_counts_as_zero():
    optimizer, (p,) = made(RMSprop, [1.0], centered=True, alpha=0.5, eps=1.0)
    for _ in range(200):
        before = p.data
        optimizer.step([0.7])
        assert type(p.data) is float
    assert p.data == before - 0.01 * 0.7


def test_plain_sgd_is_exactly_data_minus_lr_times_grad():
    for data in (1 / 3, -0.0, 1e300, 5e-324, 7.0):
        for grad in (0.1, -0.0, 1e-320, -3e299):
            p = Param(data)
            SGD([p], lr=0.3).step([grad])
            assert p.data.hex() == (data - 0.3 * grad).hex()


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=label)
def test_arrays_and_scalars_take_the_same_path(kind, settings):
    np = pytest.importorskip("numpy")
    optimizer, params = made(kind, **settings)
    array = Param(np.array(START), np.zeros(3))
    whole = kind([array], **settings)
    for ours in trajectory(optimizer, params, rosenbrock):
        array.grad = np.array(rosenbrock(array.data.tolist()))
        whole.step()
        assert array.data.tolist() == pytest.approx(ours, rel=1e-13, abs=1e-15)


def test_one_step_on_arrays_has_the_bits_of_one_step_on_scalars():
    np = pytest.importorskip("numpy")
    for kind, settings in [(SGD, {"lr": 0.1, "momentum": 0.9}), (Adam, {}), (Adagrad, {}), (RMSprop, {})]:
        optimizer, params = made(kind, **settings)
        array = Param(np.array(START), np.zeros(3))
        whole = kind([array], **settings)
        for _ in range(2):
            optimizer.step(rosenbrock(START))
            whole.step([np.array(rosenbrock(START))])
        assert array.data.tolist() == pytest.approx([p.data for p in params], rel=1e-15)


def test_the_gradient_array_may_be_reused_by_its_owner():
    np = pytest.importorskip("numpy")
    p = Param(np.zeros(2), np.zeros(2))
    optimizer = SGD([p], lr=1.0, momentum=0.5)
    grad = np.ones(2)
    optimizer.step([grad])
    grad[...] = 0.0
    optimizer.step([grad])
    assert p.data.tolist() == [-1.5, -1.5]


# ---------------------------------------------------------------- parameters and gradients


def test_params_and_grads_as_list_dict_and_module():
    for shape in (
        lambda a, b: [a, b],
        lambda a, b: iter([a, b]),
        lambda a, b: {"a": a, "b": b},
        lambda a, b: {0: a, 1: b},
        lambda a, b: Module(a=a, b=b),
    ):
        a, b = Param(1.0), Param(2.0)
        optimizer = SGD(shape(a, b), lr=0.5)
        optimizer.step(shape(1.0, 2))
        assert (a.data, b.data) == (0.5, 1.0)
        optimizer.step(shape(Param(1.0, None), Param(2.0, None)))  # a Module of gradients, or Values
        assert (a.data, b.data) == (0.0, 0.0)
        a.grad, b.grad = 1.0, 2.0
        optimizer.step()
        assert (a.data, b.data) == (-0.5, -1.0)
        assert list(optimizer.state_dict()["state"]) in (["a", "b"], ["0", "1"], ["params[0]", "params[1]"])


def test_names_are_the_key_or_the_own_name_or_the_place():
    params = [Param(1.0, name="w"), Param(1.0, name="w"), Param(1.0)]
    assert list(SGD(params, lr=1.0).state_dict()["state"]) == ["w", "params[1]", "params[2]"]
    assert list(SGD({"x": params[0]}, lr=1.0).state_dict()["state"]) == ["x"]


P = Param(1.0)
BAD_PARAMS = [
    ([], InputValueError, "params holds no parameter; give at least one (a generator can be used up only once)"),
    ([Param(1.0), P, 0.5], InputTypeError, "params[2]=0.5 is a float, not a parameter; wrap it: Value(0.5)"),
    ({"w": [1.0]}, InputTypeError, "w=[1.0] is a list, not a parameter; it needs .data and .grad"),
    ("ab", InputTypeError, "params[0]='a' is a str, not a parameter; it needs .data and .grad"),
    (3.0, InputTypeError, "params=3.0 is a single float; put it in a list: [params]"),
    (P, InputTypeError, "is a single Param; put it in a list: [params]"),
    ([P, Param(1.0), P], InputValueError, "params[0] and params[2] are the same parameter; give it once"),
    (Module(a=P, b=P), InputValueError, "a and b are the same parameter; give it once"),
    ({1: P, "1": Param(1.0)}, InputValueError, "two parameters are called '1'; give each a name of its own"),
    (
        [Param(1.0, name="loss", op="mul")],
        NotALeafError,
        "loss was computed (op=mul), it is not a leaf; make it a leaf with .detach() or optimise the leaves it was "
        "computed from",
    ),
]


@pytest.mark.parametrize(("params", "error", "message"), BAD_PARAMS, ids=[m[:40] for _, _, m in BAD_PARAMS])
def test_bad_params(params, error, message):
    with pytest.raises(error, match=re.escape(message)):
        SGD(params, lr=0.1)


BAD_GRADS = [
    ([1.0], StructureError, "grads has nothing for 'b'; give the gradients in the shape of params"),
    ([1.0, 2.0, 3.0], StructureError, "grads has 'grads[2]', which the optimizer does not know; "),
    (
        {"a": 1.0, "c": 2.0},
        StructureError,
        "grads has nothing for 'b' and has 'c', which the optimizer does not know; ",
    ),
    (Module(b=Param(1.0)), StructureError, "grads has nothing for 'a'; "),
    (1.0, InputTypeError, "grads=1.0 is a single float; put it in a list: [grads]"),
    ([1.0, None], InputTypeError, "gradient of b=None is None, not a number; give a float or a Value"),
    (["1", 1.0], InputTypeError, "gradient of a='1' is a str, not a number; give a float or a Value"),
]


@pytest.mark.parametrize(("grads", "error", "message"), BAD_GRADS, ids=[m[:40] for _, _, m in BAD_GRADS])
def test_bad_grads(grads, error, message):
    a, b = Param(1.0), Param(2.0)
    with pytest.raises(error, match=re.escape(message)):
        SGD({"a": a, "b": b}, lr=0.1).step(grads)
    assert (a.data, b.data) == (1.0, 2.0)


def test_a_gradient_must_have_its_parameters_shape():
    np = pytest.importorskip("numpy")
    p = Param(np.zeros(3), np.zeros(3))
    for grad, shape in ((np.ones((3, 1)), "(3, 1)"), (1.0, "()")):
        message = f"gradient of params[0] has shape {shape} and its parameter (3,); give one number for each"
        with pytest.raises(StructureError, match=re.escape(message)):
            SGD([p], lr=0.1).step([grad])
    assert p.data.tolist() == [0.0, 0.0, 0.0]


def test_numpy_scalars_are_numbers():
    np = pytest.importorskip("numpy")
    p = Param(1.0)
    SGD([p], lr=np.float32(0.5)).step([np.float64(1.0)])
    assert type(p.data) is float
    assert p.data == 0.5


# ---------------------------------------------------------------- nothing or everything


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("explicit", [True, False])
def test_a_gradient_that_is_not_finite_changes_nothing(bad, explicit):
    a, b = Param(1.0, name="a"), Param(2.0, name="b")
    optimizer = Adam([a, b], lr=0.1)
    optimizer.step([1.0, 1.0])
    data, state = (a.data, b.data), optimizer.state_dict()
    a.grad, b.grad = 1.0, bad
    message = (
        f"gradient of b={bad} must be finite, so nothing was changed; lower lr (now 0.1), use clip_grad_norm() at "
        "every step, or look with detect_anomaly()"
    )
    with pytest.raises(NonFiniteGradientError, match=re.escape(message)):
        optimizer.step([1.0, bad] if explicit else None)
    assert (a.data, b.data) == data
    assert optimizer.state_dict() == state


def test_a_nan_inside_an_array_is_found_and_can_be_cleared():
    np = pytest.importorskip("numpy")
    p = Param(np.zeros((2, 2)), np.zeros((2, 2)))
    optimizer = SGD({"w": p}, lr=0.1)
    p.grad = np.array([[1.0, 2.0], [math.nan, math.inf]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NonFiniteGradientError, match=re.escape("gradient of w.flat[2]=nan must be finite")):
            optimizer.step()
        optimizer.zero_grad()
    assert p.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_an_update_that_overflows_changes_nothing():
    a, b = Param(1.0), Param(1.0)
    with pytest.raises(NonFiniteGradientError, match=re.escape("params[1]: data=-inf must be finite, so nothing was")):
        SGD([a, b], lr=10.0).step([1.0, 1e308])
    with pytest.raises(NonFiniteGradientError, match=re.escape("params[1]: exp_avg_sq=inf must be finite")):
        Adam([a, b]).step([1.0, 1e200])
    assert (a.data, b.data) == (1.0, 1.0)


class Stubborn(Param):
    """Cannot be assigned to, and says so by an exception of the caller's choice."""

    def __init__(self, error):
        self.__dict__["data"] = 1.0
        self.__dict__["error"] = error
        self.grad = 0.0

    def __setattr__(self, name, value):
        if name == "data":
            raise self.error
        super().__setattr__(name, value)


@pytest.mark.parametrize("error", [AttributeError("read-only"), KeyboardInterrupt()], ids=lambda e: type(e).__name__)
def test_an_error_while_assigning_changes_nothing(error):
    a, b = Param(1.0), Stubborn(error)
    optimizer = SGD([a, b], lr=0.5, momentum=0.9)
    before = optimizer.state_dict()
    with pytest.raises(type(error)):
        optimizer.step([1.0, 1.0])
    assert a.data == 1.0
    assert optimizer.state_dict() == before


def test_an_error_in_a_rule_changes_nothing():
    class Fragile(Optimizer):
        def rule(self, data, grad, state):
            return data / grad, state

    a, b = Param(1.0), Param(1.0)
    with pytest.raises(ZeroDivisionError):
        Fragile([a, b], lr=0.5).step([2.0, 0.0])
    assert a.data == 1.0
    with pytest.raises(NotImplementedError, match=re.escape("Optimizer must define rule(data, grad, state)")):
        Optimizer([a], lr=0.5).step([2.0])


# ---------------------------------------------------------------- parameters that no gradient reached


def test_a_parameter_never_reached_is_named_once_and_left_alone():
    used, unused = Param(1.0), Param(2.0, name="unused")
    optimizer = SGD([used, unused], lr=0.5, weight_decay=0.1)
    used.grad = used.grad + 1.0
    message = "unused: no gradient has arrived, so step() leaves the value as it is; does the loss depend on it?"
    with pytest.warns(GradientWarning, match=re.escape(message)) as caught:
        optimizer.step()
    assert [w.filename for w in caught] == [__file__]
    assert (used.data, unused.data) == (1.0 - 0.5 * 1.1, 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.zero_grad()
        used.grad = used.grad + 1.0
        optimizer.step()  # once for each parameter
    assert unused.data == 2.0


def test_step_without_backward_says_so():
    params = [Param(1.0) for _ in range(12)]
    optimizer = SGD(params, lr=0.5)
    message = r"params\[0\], .*params\[9\] and 2 more: no gradient .*call loss.backward\(\) before step\(\)"
    with pytest.warns(GradientWarning, match=message):
        optimizer.step()
    params[0].grad = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    assert params[0].data == 1.0


def test_a_gradient_that_came_out_as_zero_is_a_gradient():
    p = Param(1.0)
    optimizer = AdamW([p], lr=0.5, weight_decay=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p.grad = p.grad + 0.0  # what an engine does: a new object
        optimizer.step()
        assert p.data == 0.75
        optimizer.zero_grad()
        assert p.grad == 0.0
        assert repr(p.grad) == "0.0"
        p.grad = p.grad + 0.0
        optimizer.step()
    assert p.data == 0.5625
    optimizer.zero_grad()
    with pytest.warns(GradientWarning):
        optimizer.step()


def test_two_optimizers_see_one_anothers_zero():
    p = Param(1.0)
    first, second = SGD([p], lr=0.5), SGD([p], lr=0.5)
    first.zero_grad()
    with pytest.warns(GradientWarning):
        second.step()


def test_arrays_written_in_place_have_arrived():
    np = pytest.importorskip("numpy")
    p, q = Param(np.ones(2), np.zeros(2), name="p"), Param(np.ones(2), np.zeros(2), name="q")
    optimizer = SGD([p, q], lr=0.5)
    optimizer.zero_grad()
    p.grad += 1.0
    with pytest.warns(GradientWarning, match="^q: no gradient"):
        optimizer.step()
    assert (p.data.tolist(), q.data.tolist()) == ([0.5, 0.5], [1.0, 1.0])


def test_a_skipped_parameter_counts_its_own_steps():
    late, early = Param(1.0), Param(1.0)
    optimizer = Adam([early, late], lr=0.5)
    early.grad = 1.0 + 0.0
    with pytest.warns(GradientWarning):
        optimizer.step()
    late.grad = 1.0 + 0.0
    optimizer.step()
    assert late.data == pytest.approx(0.5, rel=1e-7)  # a first step of Adam, in full
    saved = optimizer.state_dict()
    assert (saved["step"], saved["state"]["params[0]"]["step"], saved["state"]["params[1]"]["step"]) == (2, 2, 1)


# ---------------------------------------------------------------- settings

BAD_SETTINGS = [
    (
        SGD,
        {"lr": -0.1},
        "lr=-0.1 must not be negative, infinite or nan; a step goes downhill by itself, start with lr=0.01",
    ),
    (SGD, {"lr": math.nan}, "lr=nan must not be negative, infinite or nan; "),
    (SGD, {"lr": math.inf}, "lr=inf must not be"),
    (SGD, {"lr": "0.1"}, "lr='0.1' is a str, not a number; "),
    (SGD, {"lr": None}, "lr=None is None, not a number; "),
    (SGD, {"lr": True}, "lr=True is a bool, not a number; "),
    (SGD, {"lr": 0.1, "momentum": -1}, "momentum=-1 must not be negative, infinite or nan; momentum=0.9 is usual"),
    (SGD, {"lr": 0.1, "dampening": math.nan}, "dampening=nan must be finite; 0 turns it off"),
    (SGD, {"lr": 0.1, "weight_decay": -1.0}, "weight_decay=-1.0 must not be negative, infinite or nan; 0 turns it off"),
    (SGD, {"lr": 0.1, "nesterov": 0.5}, "nesterov=0.5 is a float, not a bool; give it by name: nesterov=True"),
    (
        SGD,
        {"lr": 0.1, "nesterov": True},
        "nesterov=True needs momentum > 0 and dampening 0, not momentum=0.0, dampening=0.0; try momentum=0.9",
    ),
    (SGD, {"lr": 0.1, "nesterov": True, "momentum": 0.9, "dampening": 0.1}, "not momentum=0.9, dampening=0.1; "),
    (Adam, {"betas": (0.9, 1.0)}, "betas=(0.9, 1.0) must be two numbers in [0, 1); betas=(0.9, 0.999) is usual"),
    (Adam, {"betas": (0.9,)}, "betas=(0.9,) must be two numbers in [0, 1)"),
    (Adam, {"betas": (math.nan, 0.9)}, "betas=(nan, 0.9) must be two numbers in [0, 1)"),
    (Adam, {"betas": ("a", 0.9)}, "betas=('a', 0.9) must be two numbers in [0, 1)"),
    (Adam, {"betas": 0.9}, "betas=0.9 is a float, not a pair; "),
    (Adam, {"eps": 0.0}, "eps=0.0 must be positive and finite; it keeps a zero gradient from dividing by zero"),
    (AdamW, {"weight_decay": math.inf}, "weight_decay=inf must not be"),
    (RMSprop, {"alpha": 1.0}, "alpha=1.0 must be in [0, 1); alpha=0.99 is usual"),
    (RMSprop, {"centered": 1}, "centered=1 is an int, not a bool; give it by name: centered=True"),
    (Adagrad, {"lr_decay": -0.1}, "lr_decay=-0.1 must not be negative"),
    (Adagrad, {"initial_accumulator_value": -1}, "initial_accumulator_value=-1 must not be negative"),
]


@pytest.mark.parametrize(("kind", "settings", "message"), BAD_SETTINGS, ids=[m[:40] for _, _, m in BAD_SETTINGS])
def test_bad_settings(kind, settings, message):
    with pytest.raises(InputTypeError if re.search(" is (an? |None)", message) else InputValueError, match=re.escape(message)):
        kind([Param(1.0)], **settings)


BAD_SCHEDULES = [
    (StepLR, {"step_size": 0}, "step_size=0 must be at least 1; give the number of steps between two drops"),
    (StepLR, {"step_size": 2.5}, "step_size=2.5 is a float, not a whole number; "),
    (StepLR, {"step_size": 2, "gamma": -1}, "gamma=-1 must be positive and finite; "),
    (ExponentialLR, {"gamma": 0}, "gamma=0 must be positive and finite; give the factor of one drop, such as 0.1"),
    (CosineAnnealingLR, {"T_max": 0}, "T_max=0 must be at least 1; "),
    (CosineAnnealingLR, {"T_max": 10, "eta_min": -1}, "eta_min=-1 must not be negative"),
    (LinearLR, {"start_factor": 0}, "start_factor=0 must be in (0, 1]; the warm-up begins at lr * start_factor"),
    (LinearLR, {"end_factor": 2}, "end_factor=2 must be in [0, 1]; "),
    (LinearLR, {"total_iters": 0}, "total_iters=0 must be at least 1; "),
]


@pytest.mark.parametrize(("kind", "settings", "message"), BAD_SCHEDULES, ids=[m[:40] for _, _, m in BAD_SCHEDULES])
def test_bad_schedules_leave_the_optimizer_alone(kind, settings, message):
    optimizer, _ = made(SGD, lr=0.1)
    with pytest.raises(InputTypeError if re.search(" is (an? |None)", message) else InputValueError, match=re.escape(message)):
        kind(optimizer, **settings)
    StepLR(optimizer, step_size=1, gamma=0.5).step()
    assert optimizer.lr == 0.05
    with pytest.raises(InputTypeError, match=re.escape("optimizer=0.1 is a float, not an optimizer; try an SGD")):
        StepLR(0.1, step_size=1)


# ---------------------------------------------------------------- schedules


def test_schedules_multiply_and_follow_their_factor():
    optimizer, _ = made(SGD, lr=0.8)
    warmup, cosine = LinearLR(optimizer, start_factor=0.25, total_iters=4), CosineAnnealingLR(optimizer, T_max=10)
    for step in range(10):
        assert optimizer.lr == pytest.approx(0.8 * min(0.25 + 0.75 * step / 4, 1) * math.cos(math.pi * step / 20) ** 2)
        warmup.step()
        cosine.step()
    assert optimizer.lr == 0.0
    assert optimizer.base_lr == 0.8


def test_cosine_ends_at_eta_min():
    optimizer, _ = made(SGD, lr=0.8)
    cosine = CosineAnnealingLR(optimizer, T_max=7, eta_min=0.1)
    for _ in range(7):
        cosine.step()
    assert optimizer.lr == pytest.approx(0.1, rel=1e-15)


def test_lr_set_by_hand_is_where_schedules_go_on_from():
    optimizer, _ = made(SGD, lr=0.8)
    schedule = ExponentialLR(optimizer, gamma=0.5)
    schedule.step()
    optimizer.lr = 0.1
    assert optimizer.lr == 0.1
    schedule.step()
    assert optimizer.lr == 0.05
    with pytest.raises(InputValueError, match=re.escape("lr=-1 must not be negative")):
        optimizer.lr = -1
    optimizer.lr = 0
    schedule.step()
    assert optimizer.lr == 0.0


def test_an_optimizer_and_its_schedules_are_no_cycle():
    import gc

    gc.collect()
    gc.disable()
    try:
        optimizer, params = made(Adam)
        trajectory(optimizer, params, bowl, 3, [CosineAnnealingLR(optimizer, T_max=9)])
        del optimizer, params
        assert gc.collect() == 0
    finally:
        gc.enable()


# ---------------------------------------------------------------- state


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=label)
def test_a_saved_run_continues_to_the_same_bits(kind, settings):
    whole, params = made(kind, **settings)
    path = trajectory(whole, params, rosenbrock, 60, [StepLR(whole, 10, 0.7), LinearLR(whole, total_iters=30)])

    first, params = made(kind, **settings)
    schedules = [StepLR(first, 10, 0.7), LinearLR(first, total_iters=30)]
    trajectory(first, params, rosenbrock, 25, schedules)
    saved = json.dumps([first.state_dict(), [s.state_dict() for s in schedules], [p.data for p in params]])

    state, schedule_states, data = json.loads(saved)
    second, params = made(kind, data, lr=0.123)
    others = [StepLR(second, 1), LinearLR(second, 0.9)]
    second.load_state_dict(state)
    for schedule, schedule_state in zip(others, schedule_states, strict=True):
        schedule.load_state_dict(schedule_state)
    assert json.dumps(second.state_dict()) == json.dumps(first.state_dict())
    assert trajectory(second, params, rosenbrock, 35, others) == path[25:]


def test_the_state_of_arrays_is_kept_too():
    np = pytest.importorskip("numpy")
    a, b = Param(np.ones(2), np.zeros(2)), Param(np.ones(2), np.zeros(2))
    first, second = Adam({"w": a}), Adam({"w": b})
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        first.step([np.array([1.0, -2.0])])
    second.load_state_dict(first.state_dict())
    b.data = a.data
    first.step([np.array([1.0, 2.0])])
    second.step([np.array([1.0, 2.0])])
    assert a.data.tolist() == b.data.tolist()


def changed(state, path, value):
    """A deep copy of state in which the entry at path is value; without it where value is None."""
    state = json.loads(json.dumps(state))
    inner = state
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return state


BAD_STATES = [
    (["optimizer"], "SGD", InputValueError, "optimizer='SGD' must be 'Adam'; load it into its own class"),
    (["lr"], None, StructureError, "state has nothing for 'lr'; use the state_dict() of an Adam"),
    (["more"], 1, StructureError, "state has 'more', which the optimizer does not know; "),
    (["lr"], -1.0, InputValueError, "lr=-1.0 must not be negative"),
    (["base_lr"], "x", InputTypeError, "base_lr='x' is a str, not a number; use a state_dict() as it was saved"),
    (["betas"], [0.9, 2.0], InputValueError, "betas=[0.9, 2.0] must be two numbers in [0, 1)"),
    (["step"], 1.5, InputTypeError, "step=1.5 is a float, not a whole number; "),
    (
        ["state"],
        3,
        InputTypeError,
        "state['state']=3 is an int, not a dict; make the optimizer with the same parameters",
    ),
    (["state", "b"], None, StructureError, "state['state'] has nothing for 'b'; make the optimizer with the same"),
    (["state", "c"], {}, StructureError, "state['state'] has 'c', which the optimizer does not know; "),
    (["state", "b", "exp_avg"], None, StructureError, "state of b has nothing for 'exp_avg'; "),
    (["state", "b", "exp_avg"], "x", InputTypeError, "b: exp_avg='x' is a str, not a number; "),
    (["state", "b", "exp_avg"], math.nan, NonFiniteGradientError, "b: exp_avg=nan must be finite"),
    (["state", "b", "step"], -1, InputValueError, "step=-1 must not be negative; use a state_dict() as it was saved"),
]


@pytest.mark.parametrize(("path", "value", "error", "message"), BAD_STATES, ids=[m[:40] for _, _, _, m in BAD_STATES])
def test_a_bad_state_is_refused_whole(path, value, error, message):
    optimizer = Adam({"a": Param(1.0), "b": Param(1.0)}, lr=0.1)
    optimizer.step([1.0, 2.0])
    before = optimizer.state_dict()
    other = Adam({"a": Param(1.0), "b": Param(1.0)}, lr=0.2, betas=(0.5, 0.5))
    with pytest.raises(error, match=re.escape(message)):
        optimizer.load_state_dict(changed(other.state_dict(), path, value))
    assert optimizer.state_dict() == before


def test_bad_states_of_other_kinds():
    optimizer, _ = made(SGD, lr=0.1)
    with pytest.raises(InputTypeError, match=re.escape("state=None is None, not a dict; use the state_dict() of")):
        optimizer.load_state_dict(None)
    with pytest.raises(InputValueError, match="nesterov=True needs momentum > 0"):
        optimizer.load_state_dict(changed(optimizer.state_dict(), ["nesterov"], True))
    schedule = StepLR(optimizer, step_size=2)
    for path, value, message in [
        (["schedule"], "LinearLR", "schedule='LinearLR' must be 'StepLR'; load it into its own class"),
        (["gamma"], 0.0, "gamma=0.0 must be positive and finite"),
        (["step"], -1, "step=-1 must not be negative"),
    ]:
        with pytest.raises(InputValueError, match=re.escape(message)):
            schedule.load_state_dict(changed(schedule.state_dict(), path, value))
        assert schedule.state_dict() == {"schedule": "StepLR", "step_size": 2, "gamma": 0.1, "step": 0}


# ---------------------------------------------------------------- clipping


def test_clip_grad_norm_scales_by_torchs_rule():
    params = [Param(0.0, 3.0), Param(0.0, -4.0)]
    assert clip_grad_norm(params, 10.0) == 5.0
    assert [p.grad for p in params] == [3.0, -4.0]
    assert clip_grad_norm({"a": params[0], "b": params[1]}, math.inf) == 5.0
    assert clip_grad_norm(Module(a=params[0], b=params[1]), 1.0) == 5.0
    assert [p.grad for p in params] == pytest.approx([3 / 5.000001, -4 / 5.000001], rel=1e-15)


def test_clip_grad_norm_equals_torch():
    torch = pytest.importorskip("torch", reason="torch is only in the extra that compares with it")
    grads = [0.3, -7.0, 1e-3]
    theirs = [torch.zeros((), dtype=torch.float64) for _ in grads]
    for p, g in zip(theirs, grads, strict=True):
        p.grad = torch.tensor(g, dtype=torch.float64)
    params = [Param(0.0, g) for g in grads]
    norm = torch.nn.utils.clip_grad_norm_(theirs, 2.0).item()
    assert clip_grad_norm(params, 2.0) == pytest.approx(norm, rel=1e-15)
    assert [p.grad for p in params] == pytest.approx([p.grad.item() for p in theirs], rel=1e-15)


def test_clip_grad_norm_neither_overflows_nor_underflows():
    params = [Param(0.0, 3e200), Param(0.0, 4e200)]
    assert clip_grad_norm(params, 1.0) == pytest.approx(5e200, rel=1e-15)
    assert [p.grad for p in params] == pytest.approx([0.6, 0.8])
    assert clip_grad_norm([Param(0.0, 3e-200), Param(0.0, 4e-200)], 1.0) == pytest.approx(5e-200, rel=1e-15)


def test_clip_grad_norm_on_arrays():
    np = pytest.importorskip("numpy")
    p = Param(np.zeros(2), np.array([3.0, 0.0]))
    assert clip_grad_norm([p, Param(0.0, 4.0), Param(0.0, None)], 0.5) == 5.0
    assert p.grad.tolist() == pytest.approx([0.3, 0.0])


def test_clip_grad_norm_keeps_the_mark_of_a_parameter_never_reached():
    a, b = Param(0.0), Param(0.0)
    optimizer = SGD([a, b], lr=0.1)
    a.grad = a.grad + 9.0
    clip_grad_norm([a, b], 1.0)
    with pytest.warns(GradientWarning, match=r"^params\[1\]: "):
        optimizer.step()
    assert clip_grad_norm([Param(0.0)], 1.0) == 0.0


def test_clip_grad_norm_refuses_what_it_cannot_scale():
    params = [Param(0.0, 1.0, name="a"), Param(0.0, math.nan, name="b")]
    for grad, message in [
        (math.nan, "gradient of b=nan must be finite, so nothing was changed; lower lr or look with detect_anomaly()"),
        (-math.inf, "gradient of b=-inf must be finite"),
    ]:
        params[1].grad = grad
        with pytest.raises(NonFiniteGradientError, match=re.escape(message)):
            clip_grad_norm(params, 0.1)
        assert params[0].grad == 1.0
    params[0].grad, params[1].grad = 1.2e308, 1.5e308
    with pytest.raises(NonFiniteGradientError, match="norm with the gradient of b=inf must be finite"):
        clip_grad_norm(params, 0.1)
    for value in (0, -1.0, math.nan):
        with pytest.raises(InputValueError, match=f"max_norm={value!r} must be positive; max_norm=math.inf only measures"):
            clip_grad_norm(params, value)
    with pytest.raises(InputValueError, match="params holds no parameter"):
        clip_grad_norm([], 1.0)


# ---------------------------------------------------------------- together with the engine


def test_with_values():
    w, b, unused = Value(0.0, "w"), Value(0.0, "b"), Value(3.0, "unused")
    optimizer = SGD([w, b, unused], lr=0.05)
    points = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]

    def train():
        for _ in range(1000):
            optimizer.zero_grad()
            loss = sum((w * x + b - y) ** 2 for x, y in points)
            loss.backward()
            expected = (w.data - 0.05 * w.grad, b.data - 0.05 * b.grad)
            optimizer.step()
            assert (w.data, b.data) == expected

    with pytest.warns(GradientWarning, match=r"^unused: no gradient has arrived") as caught:
        train()
    assert len(caught) == 1
    assert (w.data, b.data, unused.data) == (pytest.approx(2.0), pytest.approx(1.0), 3.0)


def test_a_values_own_zero_grad_is_seen_too():
    w, unused = Value(1.0, "w"), Value(3.0, "unused")
    optimizer = SGD([w, unused], lr=0.1)
    for v in (w, unused):
        v.zero_grad()
    (w * 2.0).backward()
    with pytest.warns(GradientWarning, match="^unused: "):
        optimizer.step()


def test_a_gradient_of_zero_from_backward_is_a_gradient():
    w = Value(0.0)
    optimizer = AdamW([w], lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            (w * w).backward()
            optimizer.step()
            optimizer.zero_grad()


def test_a_computed_value_is_no_parameter():
    w = Value(1.0, "w")
    with pytest.raises(NotALeafError, match=re.escape("params[1] was computed (op=mul), it is not a leaf; make it a leaf")):
        SGD([w, w * 2.0], lr=0.1)
    with pytest.raises(InputTypeError, match=r"^params=Value\(data=1.0, .* is a single Value; put it in a list: \[params\]$"):
        SGD(w, lr=0.1)


def test_gradients_may_be_values():
    w = Value(2.0)
    (w * w * w).backward(create_graph=True)
    optimizer = SGD([w], lr=0.25)
    assert clip_grad_norm([w], math.inf) == 12.0
    optimizer.step()
    assert w.data == -1.0
    optimizer.step([Value(4.0)])
    assert w.data == -2.0


# ---------------------------------------------------------------- copies, and schedules that come and go


COPIES = [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("cleared", [True, False], ids=["after zero_grad", "after backward"])
@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=label)
def test_a_copied_model_and_optimizer_go_the_same_way(kind, settings, cleared, duplicate):
    model = {"used": Value(2.0), "unused": Value(3.0), "zero": Value(1.0)}
    optimizer = kind(model, **settings)
    schedules = [StepLR(optimizer, 2, 0.5), LinearLR(optimizer, total_iters=4)]

    def backward(model):
        (model["used"] ** 2 + 0.0 * model["zero"]).backward()

    def go(model, optimizer, schedules, steps):
        for _ in range(steps):
            optimizer.step()
            for schedule in schedules:
                schedule.step()
            optimizer.zero_grad()
            backward(model)
        return [p.data for p in model.values()], [p.grad for p in model.values()], json.dumps(optimizer.state_dict())

    backward(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientWarning)
        go(model, optimizer, schedules, 3)
        if cleared:
            optimizer.zero_grad()
        again = duplicate((model, optimizer, schedules))
        if cleared:
            backward(model)
            backward(again[0])
        assert go(*again, 4) == go(model, optimizer, schedules, 4)
    assert model["unused"].data == 3.0
    assert again[1]._params["used"] is again[0]["used"]


def test_a_copied_optimizer_without_its_schedule_keeps_the_rate():
    optimizer = SGD([Value(1.0)], lr=1.0)
    schedule = ExponentialLR(optimizer, gamma=0.5)
    schedule.step()
    again = copy.deepcopy(optimizer)
    assert again.lr == optimizer.lr == 0.5
    after = ExponentialLR(again, gamma=0.5)
    after.step()
    assert (again.lr, optimizer.lr) == (0.25, 0.5)


def test_a_schedule_that_replaces_another_goes_on_from_its_rate():
    optimizer = SGD([Value(1.0)], lr=1.0)
    schedule = StepLR(optimizer, 1, 0.1)
    for _ in range(2):
        schedule.step()
    schedule = CosineAnnealingLR(optimizer, T_max=2, eta_min=0.004)
    rates = []
    for _ in range(2):
        schedule.step()
        rates.append(optimizer.lr)
    assert rates == pytest.approx([0.007, 0.004], rel=1e-12)  # from 0.01 down to eta_min itself
    other = SGD([Value(1.0)], lr=7.0)
    other.load_state_dict(optimizer.state_dict())
    later = CosineAnnealingLR(other, T_max=2, eta_min=0.004)
    later.load_state_dict(schedule.state_dict())
    schedule.step()
    later.step()
    assert other.lr == optimizer.lr == pytest.approx(0.007, rel=1e-12)


def test_a_schedule_that_grows_beyond_all_numbers_says_so_and_changes_nothing():
    optimizer = SGD([Value(1.0)], lr=1e-3)
    schedule = ExponentialLR(optimizer, gamma=1.1)
    message = r"ExponentialLR makes lr=inf of 0\.001 at step 7448: it grows beyond all numbers"
    with pytest.raises(InputValueError, match=message):  # noqa: PT012
        for _ in range(8000):
            schedule.step()
    assert math.isfinite(optimizer.lr)
    assert optimizer.lr == pytest.approx(1e-3 * 1.1**7447, rel=1e-9)
    frozen = StepLR(SGD([Value(1.0)], lr=0.0), 1, 1e200)
    for _ in range(3):
        frozen.step()
    assert frozen.optimizer.lr == 0.0  # of a rate of 0 nothing grows
    growing = StepLR(SGD([Value(1.0)], lr=1e300), 1, 10.0)
    with pytest.raises(InputValueError, match="StepLR makes lr=inf"):  # noqa: PT012
        for _ in range(10):
            growing.step()


def test_a_cosine_from_a_rate_of_0_is_named():
    optimizer = SGD([Value(1.0)], lr=0)
    with pytest.raises(InputValueError, match=r"eta_min=0\.1 with lr=0: .* start from a rate above 0"):
        CosineAnnealingLR(optimizer, T_max=3, eta_min=0.1)
    assert optimizer._factors == []
    CosineAnnealingLR(optimizer, T_max=3).step()
    assert optimizer.lr == 0.0
