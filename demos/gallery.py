"""A gallery of pictures: how a result was computed, and how the chain rule goes back through it.

    python demos/gallery.py [folder]

writes files that need nothing else to be looked at: the squared error of a line (the picture in the README), a neuron, a
function in which one input acts along two paths, a 2-16-16-1 network with its weights folded into the cards of its neurons;
and live pages, in which numbers can be pulled and steps taken, the pictures of the four course notes among them: the slope of
x² (slope.html), from the loss of one car back to its weights (weights.html), a valley with two minima to descend into
(valley.html), the line through seven cars, with every step of the descent (cars.html); and the squared error.
"""

import sys
import tempfile
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

from autograd_lite import Value, draw, sin
from autograd_lite.fit import minimize, page
from autograd_lite.fit.model import Model
from autograd_lite.nn import MLP, Neuron
from autograd_lite.optim import SGD

ENGINE = "builtin"  # places the cards the same way everywhere, whether or not Graphviz is installed


def squared_error():
    """The squared error of the line w*x + b at one point, as in the README."""
    w, b = Value(2.0, "w"), Value(1.0, "b")
    x, y = 3.0, 10.0
    loss = (w * x + b - y) ** 2
    return draw(loss, engine=ENGINE)


def neuron():
    """A neuron of three inputs, its sum as one card."""
    model = Neuron(3, "tanh", seed=3)
    out = model([Value(1.0, "x0"), Value(-2.0, "x1"), Value(0.5, "x2")])
    out.name = "out"
    return draw(out, params=model, fold=True, engine=ENGINE)


def two_paths():
    """x acts on f through the product and through the sine; its two contributions add up."""
    x, y = Value(1.2, "x"), Value(0.7, "y")
    f = x * y + sin(x)
    f.name = "f"
    return draw(f, engine=ENGINE)


def network():
    """The loss of one row of data in a 2-16-16-1 network: 337 parameters on 70 cards."""
    model = MLP(2, [16, 16, 1], seed=1337)
    loss = (model([Value(0.5, "x0"), Value(-1.2, "x1")]) - Value(1.0, "y")) ** 2
    loss.name = "L"
    return draw(loss, params=model, engine=ENGINE)


def parabola(x):
    """x², whose slope is the limit of its secants: pull h towards 0."""
    return x * x


def one_car(w, b):
    """How far the line w * pounds + b is from the 18 miles per gallon of a car of 3,504 pounds, squared."""
    model = w * 3.504 + b
    return (model - 18.0) ** 2


def valley(x):
    """Two minima, of which a descent finds the nearer one."""
    return 0.1 * x**4 - x**2 + 0.5 * x + 3.0


LIVE = {
    "slope.html": lambda: draw(parabola, x=5.0, engine=ENGINE),
    "weights.html": lambda: draw(one_car, w=0.0, b=0.0, engine=ENGINE),
    "valley.html": lambda: draw(valley, x=0.5, engine=ENGINE),
}


CARS = {"pounds": [3.50, 3.69, 3.44, 3.43, 4.34, 4.42, 2.37], "mpg": [18, 15, 18, 16, 15, 14, 24]}


def cars(path):
    """The line through seven cars, their weight in 1000 pounds, from weights of 0 downhill."""
    model = Model("w*pounds + b", "mpg", list(CARS))
    found = minimize(model.loss, {"w": 0.0, "b": 0.0}, CARS, optimizer=partial(SGD, lr=0.06), steps=300)
    page(found, path, model=model, data=CARS)
    return found


def flows(drawing):
    """How far the contributions on the edges are from the gradients on the cards they lead to; the largest difference."""
    worst = 0.0
    for card in drawing.nodes:
        given = [e.contribution for e in drawing.edges if e.source == card.index and e.contribution is not None]
        if given:
            gradient = float(card.tooltip.rpartition("= ")[2])
            worst = max(worst, abs(sum(given) - gradient))
    return worst


def check(claim, got, wanted, within=0.0):
    """Stop with a message unless `got` is `wanted`, numbers give or take `within`."""
    if not (got == wanted or (within and abs(got - wanted) <= within)):
        raise SystemExit(f"{claim}: expected {wanted}, got {got}")


def main(folder=None):
    folder = Path(folder or Path(tempfile.gettempdir()) / "autograd_lite_gallery")
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {"squared_error": squared_error(), "neuron": neuron(), "two_paths": two_paths(), "network": network()}
    for name, drawing in drawings.items():
        path = folder / f"{name}.svg"
        drawing.save(path)
        print(f"{path}  {len(drawing.nodes)} nodes, {len(drawing.edges)} edges")
    path = folder / "stepper.html"
    drawings["squared_error"].save(path)
    print(f"{path}  {len(drawings['squared_error'].steps)} steps")

    for name, live in LIVE.items():
        live().save(folder / name)
        print(f"{folder / name}  {len(live().steps)} steps")
    descent = cars(folder / "cars.html")
    print(f"{folder / 'cars.html'}  {descent.steps} steps")

    for name, drawing in drawings.items():
        check(f"elements of the picture {name}", ET.parse(folder / f"{name}.svg").getroot().tag.partition("}")[2], "svg")
        check(f"what flows in the picture {name}", flows(drawing), 0.0, within=1e-12)
    cards = {card.name: card.adjoint for card in drawings["squared_error"].nodes}
    check("the gradients of the squared error", [cards["w"], cards["b"]], ["−18", "−6"])
    check("the gradient along two paths", drawings["two_paths"].nodes[0].adjoint, "1.062")
    weights = sum(row.parameter for card in drawings["network"].nodes for row in card.rows)
    check("the parameters in the network's rows", weights, 337)
    slopes = [[card.adjoint for card in LIVE[name]().nodes if card.kind == "parameter"] for name in LIVE]
    check("the slopes on the live pages", slopes, [["10"], ["−126.1", "−36"], ["−0.45"]])
    first = sum(mpg**2 for mpg in CARS["mpg"]) / len(CARS["mpg"])
    check("the loss of seven cars before the first step", descent.history[0][1], first, within=1e-9)
    check("the end of the stepper", path.read_text("utf-8").rstrip().endswith("</html>"), True)
    print("Checked: what flows along the edges of each picture is the gradient on the card it flows to.")


if __name__ == "__main__":
    main(*sys.argv[1:2])
