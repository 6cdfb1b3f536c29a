"""Two moons: a small neural network learns to tell two interleaved half circles apart.

This is micrograd's demo: a 2-16-16-1 network, 100 points, and the max-margin loss (a score above 1 on the right side
costs nothing) plus a small price on large weights.  All points are used at every step, for 100 steps, while the learning
rate falls from 1 to 0.1.  At the end the plane is drawn as the network divides it.
"""

import math
import random

from autograd_lite import dot
from autograd_lite.nn import MLP, hinge

SEED = 1337
POINTS = 100
STEPS = 100
NOISE = 0.1
DECAY = 1e-4  # what a parameter of size 1 adds to the loss


def moons(count, noise, seed):
    """Points on two half circles, moved a little at random, and their labels, 1 and -1 in turn."""
    draw = random.Random(seed)
    points, labels = [], []
    for i in range(count):
        angle = math.pi * (i // 2) / (count // 2 - 1)
        upper = i % 2 == 0
        x, y = (math.cos(angle), math.sin(angle)) if upper else (1.0 - math.cos(angle), 0.5 - math.sin(angle))
        points.append((x + draw.gauss(0.0, noise), y + draw.gauss(0.0, noise)))
        labels.append(1 if upper else -1)
    return points, labels


def judge(model, points, labels):
    """The loss as a Value, and which share of the points lies on the right side."""
    scores = [model(point) for point in points]
    parameters = model.parameters()
    loss = hinge(scores, labels) + DECAY * dot(parameters, parameters)
    right = sum((score.data > 0.0) == (label > 0) for score, label in zip(scores, labels, strict=True))
    return loss, right / len(labels)


def picture(model, points, labels, rows=20, columns=40):
    """The plane from (-1.5, -1) to (2.5, 1.5): '.' where the score is above 0, points as 'o' (label 1) and 'x'."""
    lines = []
    for i in range(rows):
        y = 1.5 - 2.5 * (i + 0.5) / rows
        lines.append(["." if model((-1.5 + 4.0 * (j + 0.5) / columns, y)).data > 0.0 else " " for j in range(columns)])
    for (x, y), label in zip(points, labels, strict=True):
        i, j = math.floor((1.5 - y) / 2.5 * rows), math.floor((x + 1.5) / 4.0 * columns)
        if 0 <= i < rows and 0 <= j < columns:
            lines[i][j] = "o" if label > 0 else "x"
    return "\n".join(f"|{''.join(line)}|" for line in lines)


def check(claim, got, wanted, within=0.0):
    """Stop with a message unless `got` is `wanted`, numbers give or take `within`."""
    if not (got == wanted or (within and abs(got - wanted) <= within)):
        raise SystemExit(f"{claim}: expected {wanted}, got {got}")


def main():
    points, labels = moons(POINTS, NOISE, SEED)
    model = MLP(2, [16, 16, 1], seed=SEED)
    print(f"{len(points)} points, {len(model.parameters())} parameters.\n")
    print("step      loss  accuracy")
    for step in range(STEPS + 1):
        loss, accuracy = judge(model, points, labels)
        if step % 10 == 0:
            print(f"{step:>4}  {loss.data:8.5f}  {accuracy:>7.0%}")
        if step == STEPS:
            break
        model.zero_grad()
        loss.backward()
        rate = 1.0 - 0.9 * step / STEPS
        for p in model.parameters():
            p.data -= rate * p.grad

    print("\nThe points (o and x) and the network's answer (dots on one side, blank on the other):\n")
    print(picture(model, points, labels))

    check("number of parameters", len(model.parameters()), 337)
    check("the loss after the last step is below 0.02", loss.data < 0.02, True)
    check("the share of points on the right side", accuracy, 1.0)
    print("\nChecked: every point is on its own side.")


if __name__ == "__main__":
    main()
