"""`autograd-lite ops`: the functions that formulas may use, from the op table."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from .. import graph
from ..errors import InputValueError
from ..files import JsonData
from ..formula import nodes
from ..formula.vocabulary import VOCABULARY
from ..graph import Node
from ..ops import REAL
from ..value import Value
from .common import Json
from .options import Argument
from .output import print_table, say, say_json, shown

LETTERS = ("x", "y")  # also of a function of any number of arguments


def _names_of_functions() -> list[str]:
    return sorted(VOCABULARY.functions)


def ops(
    name: Annotated[str | None, Argument(help="One function, in full.", words=_names_of_functions)] = None,
    json: Json = False,
) -> None:
    """The functions of formulas: derivatives, domains, conventions at kinks.

    Examples

    autograd-lite ops

    autograd-lite ops tanh

    autograd-lite ops --json
    """
    if name is not None and name not in VOCABULARY.functions:
        near = get_close_matches(name, _names_of_functions(), 3)
        repair = f"did you mean {', '.join(near)}?" if near else "autograd-lite ops lists them"
        raise InputValueError(f"{name!r} is no function of formulas: {repair}")
    chosen = _names_of_functions() if name is None else [name]
    described = [_entry(each) for each in chosen]
    if json:
        say_json(described if name is None else described[0])
    elif name is None:
        head = ("name", "formula", "derivative", "domain", "kinks: used there")
        print_table(head, [_cells(d) for d in described])
        say("\n" + "\n".join(f"{name} = {number!r}" for name, number in VOCABULARY.constants.items()))
    else:
        _print_one(described[0])


# -- a function as data -----------------------------------------------------------------------------------------------


def _entry(name: str) -> dict[str, Any]:
    """All that the op table has on a function, written with the letters that its row uses."""
    function = VOCABULARY.functions[name]
    row: Any = function.call
    letters = list(getattr(row, "letters", ()) or LETTERS)[: max(function.least, function.most or len(LETTERS))]
    example = getattr(row, "example", (0.5,) * len(letters))
    leaves = [Value(x, letter) for x, letter in zip(example, letters, strict=False)]
    node: Any = function(*leaves)
    op = node.op
    names = dict(zip(leaves, letters, strict=True))
    for each in reversed(graph.order([node])):  # what it is made of, itself the last
        formula = nodes.formula(each, names)
        names[each] = f"({formula})" if " " in formula and not formula.endswith(")") else formula
    data = {
        "name": name,
        "says": (row.__doc__ or "").split("\n\n")[0].strip(),
        "arguments": [function.least, function.most],
        "letters": letters,
        "formula": formula,
        "default": dict(zip(letters[function.least :], getattr(row, "defaults", ()), strict=False)),
        "derivatives": {letter: _chained_slope(node, leaf, names) for letter, leaf in zip(letters, leaves, strict=True)},
        "domain": {},
        "kinks": [],
        "conventions": [],
    }
    if all(any(a is leaf for leaf in leaves) for a in graph.operands(node)):  # else it is made of rows, as degrees of mul
        pins = [pin for pin in op.pins if all(x - x == 0.0 for x in pin.at)]
        data["domain"] = {letter: str(d) for letter, d in zip(letters, op.domain, strict=False) if d != REAL}
        data["kinks"] = [
            {"where": kink.text, "taken": next((list(p.partials) for p in pins if kink.holds(*p.at)), None)}
            for kink in op.kinks
        ]
        data["conventions"] = [{"at": list(p.at), "value": p.value, "derivatives": list(p.partials)} for p in op.pins]
    return data


def _chained_slope(node: Node, leaf: Value, names: dict[Node, str]) -> str:
    """The derivative by a leaf, by the chain rule where it is in something that the node is made of; "" where it is nowhere."""
    for place, operand in enumerate(graph.operands(node)):
        if operand is leaf:  # they compare by value
            return nodes.partial(node, place, names)
        if isinstance(operand, Value) and operand.op is not None and (inner := _chained_slope(operand, leaf, names)):
            return f"{nodes.partial(node, place, names)}·{inner}"
    return ""


# -- as text ----------------------------------------------------------------------------------------------------------


def _cells(data: dict[str, JsonData]) -> Sequence[str]:
    derivatives = data["derivatives"]
    several = len(derivatives) > 1
    slopes = "\n".join(f"{letter}: {slope}" if several else slope for letter, slope in derivatives.items())
    domain = "\n".join(f"{letter} in {d}" for letter, d in data["domain"].items())
    return (data["name"], data["formula"], slopes, domain, "\n".join(map(_kink_cell, data["kinks"])))


def _kink_cell(kink: dict[str, JsonData]) -> str:
    taken = kink["taken"]
    return kink["where"] if taken is None else f"{kink['where']}: {', '.join(map(shown, taken))}"


def _print_one(data: dict[str, JsonData]) -> None:
    least, most = data["arguments"]
    count = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
    count += "".join(f"; {letter} is {shown(default)} unless given" for letter, default in data["default"].items())
    lines = [("arguments", count), ("formula", data["formula"])]
    lines += [(f"d/d{letter}", slope) for letter, slope in data["derivatives"].items()]
    lines += [("domain", f"{letter} in {d}") for letter, d in data["domain"].items()]
    lines += [("no derivative", f"where {kink['where']}") for kink in data["kinks"]]
    say(f"{data['name']}: {data['says']}\n")
    print_table((), lines)
    if data["conventions"]:
        rows = [
            (", ".join(f"{x:.12g}" for x in c["at"]), shown(c["value"]), ", ".join(map(shown, c["derivatives"])))
            for c in data["conventions"]
        ]
        say()
        print_table((f"at ({', '.join(data['letters'])})", "value", "derivatives"), rows)
