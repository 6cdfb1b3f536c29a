"""One row of the op table.  A row *is* the public function: called on floats it computes, on Values it records a node.

A user's own primitive is a row too, made with this same constructor:

>>> from autograd_lite import Op, Value
>>> softsign = Op("softsign", lambda x: x / (1 + abs(x)), lambda x, out: 1 / (1 + abs(x)) ** 2)
>>> v = Value(3.0)
>>> softsign(v).backward()
>>> softsign(3.0), v.grad
(0.75, 0.0625)

Rules contain no Python ``if`` and call other rows, so that the same text runs on floats, on nodes (higher orders) and in the
compiler.  They may use ``+ - *`` freely, but write ``div`` for ``/`` and ``pow`` for ``**``: those two raise on floats.
A row's core, what compiled code does in its place, is written in the same words; without one it is called back.

To add an op: one row in the family file it belongs to.  It is public under the name it is bound to, and everything else, the
tests included, reads the table (``tests/add_an_op.py`` shows it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from math import inf
from typing import TYPE_CHECKING, Any, overload

from .. import accelerated, context
from ..errors import InputTypeError
from ..tree import Number, as_float, held, is_node
from .columns import LETTERS, ORDINARY, REAL, Interval, Kink, Pin, Rule, Setting, kind_of

if TYPE_CHECKING:
    from ..value import Value

TABLE: dict[str, Op] = {}  # every built-in row by name; a user's rows stay the user's
HELPERS: set[Op] = set()  # those that are no public functions
PUBLIC: dict[str, Any] = {}  # the public functions by name: rows and compositions


class Op(accelerated.RowBase):
    """A primitive: forward on floats, one partial rule per argument, where it holds, and how it is written.

    Args:
        name: how it is called, ``"tanh"``.
        forward: floats to float; follows IEEE (returns inf or nan rather than raising).
        partials: for each argument a rule ``(arguments..., out) -> partial``, or a float where the partial is constant
            (a constant 0.0 is "no influence": nothing flows there).  One bare rule serves a single argument.
        variadic: any number of arguments; then `partials` is one rule ``(args, out) -> sequence of partials``.
        products: per argument, None or a rule ``(g, arguments..., out) -> g * partial``, for when forming the partial first
            would overflow or lose the point; a product that returns None gives the argument nothing at all.
        settings: the arguments that are no variables, by position: see `Setting`.
        example: an ordinary point, with as many floats as the row is tried with; one in the domain unless given.
        core: how it is computed in other rows, ``(arguments...)``, to the bits of `forward`: what compiled code does.  It may
            ask which arguments are constants, and gives NotImplemented where it has no formula.  Without a core, or where
            a setting is no constant, compiled code calls back `forward`.
        fast: the same for batches, a few units in the last place away, where that avoids a call.
        exact: its definition in mpmath, ``(mp, at, arguments...)``, or the name of mpmath's own function.  The floats `at`
            decide each branch, so that at a kink it is the piece whose slope is the convention's.
        gather: turns the arguments of a call into the flat ones, for functions of a sequence.
        defaults: values of trailing arguments left out of a call.
        text: how a call is written: a template, whose ``{0}``, ``{1}`` are the arguments, or a formula of other rows, in the
            arguments by the names x, y, z, u.
        latex: the same in LaTeX, a template; from a formula unless given.
        edges: each partial as a formula of the arguments by those names and of ``out``, the result; None at a setting.  With
            any number of arguments (`formula.printer` names more): one for all; the first's and the others'; or the
            index's, the chosen item's and the others'.
        symbol: the short sign of the op in a picture, ``"+"``; the name unless given.
        roles: what its operands are called, ``("numerator", "denominator")``; of any number ``("term {}",)``, or so many parts.
        tame: whether the value is finite for all finite arguments, but for overflow of a sum or product: times 0 it is 0.
        waves: whether the value goes up and down all along an axis.
        domain: one interval per argument; kinks: places in words, ``"x = 0"``, see `Kink`; pins: see `Pin`.
        doc: the docstring: one sentence and a doctest; formula, derivative and domain are added from the row.

    Raises InputTypeError when called with the wrong number of arguments or with something that is not a number.
    """

    optional = 0  # how many more arguments a subclass takes
    entered = False  # into the table
    plain: Op | None = None  # the row of the first arguments that has the same value, where the others are for slopes only

    def __init__(
        self,
        name: str,
        forward: Callable[..., float],
        partials: Rule | float | Sequence[Rule | float],
        *,
        variadic: bool = False,
        products: Sequence[Rule | None] | None = None,
        settings: Mapping[int, Setting] | None = None,
        example: tuple[float, ...] = (),
        core: Callable[..., Number] | None = None,
        fast: Callable[..., float] | None = None,
        exact: str | Callable[..., Number] | None = None,
        gather: Callable[..., tuple[Number, ...]] | None = None,
        defaults: tuple[float, ...] = (),
        text: str | None = None,
        latex: str | None = None,
        edges: Sequence[str | None] | str | None = None,
        symbol: str | None = None,
        roles: Sequence[str] = (),
        tame: bool = False,
        waves: bool = False,
        domain: Sequence[Interval] = (),
        kinks: Sequence[str | Kink] | str = (),
        pins: Sequence[tuple[tuple[float, ...], float, tuple[float, ...]]] = (),
        doc: str = "",
    ) -> None:
        if not name.isidentifier():
            raise InputTypeError(f"name={name!r} is not an identifier: give the op a name like 'softsign'")
        if not callable(forward):
            raise InputTypeError(f"forward={forward!r} of op {name} is not callable: give a function of floats")
        self.name = self.__name__ = name
        self.forward = forward
        self.variadic = variadic
        self.rule: Rule | None = None
        self.partials: tuple[Rule | float, ...] = ()
        if variadic:
            if not callable(partials):
                raise InputTypeError(f"partials of variadic op {name} must be one rule (args, out) -> all partials")
            self.rule = self._counted(partials)
        else:
            rules = partials if isinstance(partials, (tuple, list)) else (partials,)
            for i, rule in enumerate(rules):
                if not callable(rule) and rule.__class__ is not float:
                    raise InputTypeError(f"partials[{i}]={rule!r} of op {name} must be a rule or a float")
            if not rules:
                raise InputTypeError(f"partials of op {name} are empty: give one rule for each argument, at least one")
            self.partials = tuple(rules)
        self.arity = None if variadic else len(self.partials)
        self.products = tuple(products) if products else None
        plain = not variadic and not products and len(self.partials) <= 2 and 0.0 not in self.partials
        self.first = self.partials[0] if plain else None
        self.second = self.partials[-1] if plain else None
        self.kind = kind_of(self.partials, self.products, plain)  # after them: see `accelerated.RowBase`
        self.settings = settings or {}
        self.core = core
        self.fast = fast
        self.exact = exact
        self.gather = gather
        self.defaults = defaults
        marks = [f"{{{i}}}" for i in range(self.arity or 0)]
        call = "{all}" if variadic else ", ".join(marks)
        self.text = text or f"{name}({call})"
        spoken = name.replace("_", r"\_")
        self.latex = latex or (rf"\operatorname{{{{{spoken}}}}}\left({call}\right)" if "{" in self.text else self.text)
        self.edges = (edges,) if isinstance(edges, str) else tuple(edges or ())
        self.symbol = symbol or name
        self.domain = tuple(domain) or (REAL,) * (self.arity or 1)
        self.example = example or self._ordinary()
        self.roles, self.tame, self.waves = roles, tame, waves
        places = (kinks,) if isinstance(kinks, str) else kinks
        self.kinks = tuple(k if isinstance(k, Kink) else Kink(k, self.letters, len(self.settings)) for k in places)
        self.pins = tuple(Pin(*pin) for pin in pins)
        self.__doc__ = self._document(doc)

    @property
    def letters(self) -> Sequence[str]:
        """What its rules call its arguments; x, y, z, ... where they do not say."""
        for rules, before in ((self.partials, 0), (self.products or (), 1)):
            for rule in rules:
                code, first = getattr(rule, "__code__", None), before + hasattr(rule, "__self__")  # of a method, after self
                if code is not None and code.co_argcount > first + len(self.partials):
                    return tuple(code.co_varnames[first : first + len(self.partials)])
        return tuple(LETTERS[: self.arity])

    def _ordinary(self) -> tuple[float, ...]:
        """A point in the domain, the settings at an example of theirs; three items, or four where one is a setting."""
        domains = self.domain if self.arity is not None else self.domain[:1] * (4 if self.settings else 3)
        at = [
            x if x in d else d.low + 1.0 if d.low > -inf else d.high - 1.0
            for x, d in zip(cycle(ORDINARY), domains, strict=False)
        ]
        return tuple(self.settings[i].examples[1] if i in self.settings else x for i, x in enumerate(at))

    def _counted(self, rule: Rule) -> Rule:
        """The rule of a row with any number of arguments, held to give as many partials."""

        def counted(args: Sequence[Number], out: Number) -> Number:
            partials = rule(args, out)
            if len(partials) != len(args):
                raise InputTypeError(
                    f"the rule of op {self.name} gave {len(partials)} partials for {len(args)} arguments: give one for each"
                )
            return partials

        return counted

    @overload
    def __call__(self, *args: float) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *args: float | Value) -> Value: ...
    @overload
    def __call__(self, *args: Iterable[float]) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *args: Iterable[float | Value]) -> Value: ...
    @overload
    def __call__(self, *args: Number) -> Number: ...
    def __call__(self, *args: Number) -> Number:
        """Floats give a float, and where one is a Value the result is one; lists are for the rows that gather them."""
        if self.gather is not None:
            args = self.gather(*args)
        elif len(args) != self.arity and not self.variadic:
            args = self._complete(args)
        if self.settings:
            args = self._settled(args)
        for arg in args:
            if arg.__class__ is not float:
                return self._dispatch(args)
        return self.forward(*args) if not context.active else self._watched(args)

    def apply(self, *args: Number) -> Number:
        """The row of its arguments one by one, also where a call takes them in a list: ``logsumexp.apply(x, y)``."""
        for arg in args:
            if arg.__class__ is not float:
                return self._dispatch(args)
        return self.forward(*args) if not context.active else self._watched(args)

    def _settled(self, args: tuple[Number, ...]) -> tuple[Number, ...]:
        """The arguments with settings checked; of a node, which may vary later, the number it is worth now."""
        settled = list(args)
        for i, setting in self.settings.items():
            node = hasattr(args[i].__class__, "_record")
            if not node:
                settled[i] = setting.checked(self.number(args[i], i), f"{self.name}()", len(args) - i - 1)
            elif hasattr(args[i], "_data"):
                setting.checked(args[i]._data, f"{self.name}()", len(args) - i - 1)
        return tuple(settled)

    def _dispatch(self, args: tuple[Number, ...]) -> Number:
        """Some argument is no float: a node records the call, other numbers become floats."""
        for arg in args:
            record = getattr(arg.__class__, "_record", None)
            if record is not None:
                return record(self, args)
        if any(map(is_node, given := tuple(map(held, args)))):
            return self._dispatch(given)
        return self._watched(tuple(self.number(arg, i) for i, arg in enumerate(args)))

    def _watched(self, args: tuple[float, ...]) -> float:
        """The result on floats, looked at as `errstate` asks."""
        result = self.forward(*args)
        if context.active:
            context.check(self, [None] * len(args), args, result, None)
        return result

    def number(self, arg: Number, index: int) -> float:
        """Argument `index` as a float, or an error that names this op."""
        if getattr(arg, "shape", ()) != ():
            raise InputTypeError(
                f"{self.name}() takes numbers or Values, not an array of shape {arg.shape}: "
                f"map it over the items, or use NumPy's function of that name on the array"
            )
        return as_float(arg, f"argument {index + 1} of {self.name}()")

    def _complete(self, args: tuple[Number, ...]) -> tuple[Number, ...]:
        assert self.arity is not None
        missing = self.arity - len(args)
        if 0 < missing <= len(self.defaults):
            return args + self.defaults[-missing:]
        least = self.arity - len(self.defaults)
        count = f"{self.arity}" if not self.defaults else f"{least} to {self.arity}"
        what = f"{count} argument{'s' * (count != '1')}, got {len(args)}"
        raise InputTypeError(f"{self.name}() takes {what}: {self.name}({', '.join(LETTERS[: self.arity])})")

    def kinked(self, *at: float) -> bool:
        """Whether there is no derivative at some arguments."""
        return any(kink.holds(*at) for kink in self.kinks)

    def partial(self, index: int, args: Sequence[Number], out: Number) -> Number:
        """The partial derivative with respect to argument `index`, on floats or on nodes."""
        if self.rule is not None:
            return self.rule(args, out)[index]
        rule = self.partials[index]
        return rule(*args, out) if callable(rule) else rule

    def edge(self, index: int, args: Sequence[Number], out: Number) -> Number:
        """What an adjoint or a tangent is multiplied by at argument `index`: the partial, or the row's `Product` rule at this
        point; None where nothing flows.  See `times`.
        """
        if self.products is not None and (rule := self.products[index]) is not None:
            return Product(rule, (*args, out))
        d = self.partial(index, args, out)
        return None if self.rule is None and self.partials[index] is d and d == 0.0 else d

    def product(self, index: int, g: Number, args: Sequence[Number], out: Number) -> Number:
        """`g` times that edge; None where nothing flows."""
        edge = self.edge(index, args, out)
        return None if edge is None else times(g, edge)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self.entered:
            return (_unpickled, (self.name,))
        return object.__reduce__(self)

    def _document(self, doc: str) -> str:
        lines = [doc.strip() or f"{self.name}, a primitive."]
        names = self.letters if self.arity else ()
        if names and self.edges:
            call = f"{self.name}({', '.join(names)})"
            said = {**dict(zip(LETTERS, names, strict=False)), "out": call}
            for x, edge in zip(names, self.edges, strict=False):
                if edge is not None:
                    lines.append(f"d/d{x} {call} = " + re.sub(r"[a-z]\w*", lambda word: said.get(word[0], word[0]), edge))
        if any(d != REAL for d in self.domain):
            lines.append("Domain: " + ", ".join(f"{x} in {d}" for x, d in zip(names, self.domain, strict=False)) + ".")
        if self.kinks:
            lines.append("No derivative where " + ", ".join(k.text for k in self.kinks) + ".")
        return "\n\n".join(lines)


accelerated.call_in_c(Op)


def numbers(items: Iterable[Number], what: str) -> tuple[Number, ...]:
    """Items as floats and nodes; of anything else the error names its place in what they are called.

    >>> numbers([1, True], "items of softmax()")
    (1.0, 1.0)
    """
    if not hasattr(items, "__iter__"):
        raise InputTypeError(f"{what}={items!r:.60} must be a list of numbers or Values")
    name, _, of = what.partition(" ")
    each = enumerate(map(held, items))
    return tuple(x if x.__class__ is float or is_node(x) else as_float(x, f"{name}[{i}] {of}") for i, x in each)


def composed(function: Callable[..., Number]) -> Op:
    """A composition of rows, as it is; a type checker takes it for a row, since it is called as one."""
    return function  # type: ignore[return-value]


def _unpickled(name: str) -> Op:
    return TABLE[name]


def row(*args: Any, **columns: Any) -> Op:
    """A built-in row: an `Op` that is also entered in the table; a function of this package under the name it is bound to."""
    return enter(Op(*args, **columns))


def helper(*args: Any, **columns: Any) -> Op:
    """A built-in row that other rows are made of, and which is no public function."""
    op = enter(Op(*args, **columns))
    HELPERS.add(op)
    return op


def enter(op: Op) -> Op:
    """Put a row into the table; two rows of one name are a mistake."""
    assert op.name not in TABLE, op.name
    TABLE[op.name] = op
    op.entered = True
    return op


def publish(family: dict[str, Any]) -> None:
    """Make the rows of a family, but helpers, and its compositions public, under the names its module binds them to.

    Its ``__all__`` is made here rather than written, so that there is no second list; to a type checker all names are public.
    """
    for name, thing in family.items():
        row = isinstance(thing, Op) and thing.entered and thing not in HELPERS
        composition = getattr(thing, "__module__", None) == family["__name__"] and not isinstance(thing, (Op, type))
        if not name.startswith("_") and (row or (composition and callable(thing))):
            PUBLIC.setdefault(name, thing)
    family["__all__"] = [name for name in PUBLIC if name in family]


class Product:
    """A product rule at one point: ``times(g, product)`` is ``rule(g, *args)``."""

    __slots__ = ("args", "rule")

    def __init__(self, rule: Rule, args: tuple[Number, ...]) -> None:
        self.rule, self.args = rule, args


def times(g: Number, edge: Number) -> Number:
    """``g`` times what an edge multiplies by, recording no multiplication by 1 or -1; None where nothing flows.

    >>> times(3.0, 2.0), times(3.0, Product(lambda g, x: g / x, (2.0,)))
    (6.0, 1.5)
    """
    if edge.__class__ is Product:
        return edge.rule(g, *edge.args)
    if edge.__class__ is float:
        if edge == 1.0:
            return g
        if edge == -1.0:
            return -g
    return edge if g.__class__ is float and g == 1.0 else g * edge
