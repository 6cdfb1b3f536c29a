"""What `draw` takes: Values, several of them, functions with their numbers; and how the result is called."""

import webbrowser

import pytest

from autograd_lite import Value, atan2, draw
from autograd_lite.errors import InputTypeError
from autograd_lite.nn import MLP


def line():
    w, b = Value(2.0, "w"), Value(1.0, "b")
    return w * 3.0 + b


def test_a_result_is_called_by_the_variable_that_holds_it():
    loss = line()
    assert draw(loss).name == loss.draw().name == "loss"
    assert draw(line()).name == "result"
    other = loss
    assert draw(loss).name == "result"  # one of two
    assert other is loss


def test_names_that_are_given_come_first():
    loss = line()
    assert draw(loss, name="L").name == "L"
    assert draw(error=loss).name == "error"
    assert draw(loss, params={"p": loss}).name == "p"
    loss.name = "own"
    assert draw(loss).name == "own"
    assert draw(loss, name="L").name == "L"
    assert draw(Value(1.0, "result") * 2.0).name == "v1"


def branching(w, b):
    if w > 0:
        return w * b
    return w - b


def test_a_function_is_called_on_its_numbers():
    drawing = draw(branching, w=2.0, b=3.0)
    assert [(card.header, card.value) for card in drawing.nodes] == [("w", "2"), ("b", "3"), ("branching = w × b", "6")]
    ((node, wanted, where),) = drawing.builder.guards
    assert (node.op.name, wanted) == ("gt", True)
    assert where.startswith("test_subject.py:")
    assert draw(lambda x: x * x, x=3.0).name == "result"


def test_a_function_may_give_several_results():
    drawing = draw(lambda w, b: (w * b if w > 0 else b, w + b), w=2.0, b=3.0)
    headers = [card.header for card in drawing.nodes if card.kind == "root"]
    assert headers == ["result1 = w × b", "result2 = w + b"]
    assert [wanted for _, wanted, _ in drawing.builder.guards] == [True]
    assert drawing.html().count('"prefix"') == 2


def test_a_function_without_names_for_its_arguments_takes_them_in_order():
    assert [card.header for card in draw(atan2, y=1.0, x=2.0).nodes] == ["y", "x", "atan2 = atan2(y, x)"]
    assert draw(lambda a, /: a * a, x=3.0).name == "result"
    assert draw(lambda *some: some[0] - some[1], p=3.0, q=1.0).nodes[-1].header == "result = p − q"


def test_several_results():
    w, b = Value(2.0, "w"), Value(1.0, "b")
    first, second = w * b, w + b
    drawing = draw([first, second])
    assert [card.header for card in drawing.nodes if card.kind == "root"] == ["first = w × b", "second = w + b"]
    assert {card.label for card in drawing.nodes} >= {"dfirst/dw", "dfirst/db"}
    assert drawing.html()
    drawing = draw([w * 3.0, first, b * 2.0])  # those without a variable are numbered
    assert [card.header for card in drawing.nodes if card.kind == "root"] == [
        "result1 = w × 3",
        "first = w × b",
        "result2 = b × 2",
    ]
    assert [card.name for card in draw([w, w * 2.0]).nodes] == ["w", "result"]
    assert [card.name for card in draw([w * 3.0, w * 3.0], name="f").nodes] == ["w", "f1", "f2"]
    assert [card.name for card in draw([first, w * 3.0], name="f").nodes] == ["w", "b", "first", "f"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw(branching), r"root=branching is a function: give its numbers by name, draw\(branching, w=2.0, b=1.0\)"),
        (lambda: draw(MLP(2, [1])), r"is a module: draw what it gives, draw\(model\(inputs\), params=model\)"),
        (lambda: draw(line(), engin="dot"), r"draw\(\) has no option 'engin'; a function takes its numbers by name"),
        (lambda: draw(3.0), r"root=3.0 must be a Value"),
        (draw, r"draw\(\) needs a Value, or a function and its numbers"),
        (lambda: draw(line(), name=3), r"name=3 must be a string"),
        (lambda: draw(branching, w=2.0), r"branching\(w, b\) cannot be called with w: missing a required argument: 'b'"),
        (
            lambda: draw(branching, w=2.0, c=1.0),
            r"branching\(w, b\) cannot be called with w, c: missing a required argument: 'b'",
        ),
        (lambda: draw(lambda x: x, x=2.0, y=1.0), r"the function\(x\) cannot be called with x, y: got an unexpected keyword"),
        (lambda: draw(lambda x: 3.0, x=1.0), r"the function returned 3.0, which is no Value"),
        (lambda: draw(lambda x: (x * 2.0, 1.0), x=1.0), r"the function returned \(Value.*, 1.0\), which is no Value"),
        (lambda: draw(lambda x: [], x=1.0), r"the function returned \[\], which is no Value"),
    ],
)
def test_what_cannot_be_drawn(call, message):
    with pytest.raises(InputTypeError, match=message):
        call()


def test_printed_it_says_what_to_do():
    assert str(draw(line())) == '<Drawing of result: 4 nodes, 3 edges>: .save("x.html") writes the page, .show() opens it'


def test_show_opens_the_page_and_says_where_it_is(monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    draw(line()).show()
    path = capsys.readouterr().out.strip()
    assert opened == [f"file://{path}"]
    with open(path, encoding="utf-8") as file:
        assert file.read().startswith("<!doctype html>")


def test_a_function_that_takes_a_derivative_is_drawn():
    from autograd_lite import grad

    drawing = draw(lambda w: w * grad(lambda x: x * x)(w), w=2.0)
    assert "8" in {card.value for card in drawing.nodes}
    assert len(drawing.nodes) == 4
