"""Seven cars: from a car's weight to its miles per gallon, by gradient descent and by the closed form.

The model is a straight line, miles = weight * pounds + bias, and the loss is the mean of the squared errors.  Weight and
bias start at zero and go downhill in steps of learning rate times slope.  The numbers come from course note 003, whose
own table of this path has one wrong number; the second table below shows where it is and what followed from it.
"""

from autograd_lite import Value, value_and_grad
from autograd_lite.nn import mse

POUNDS = [3.50, 3.69, 3.44, 3.43, 4.34, 4.42, 2.37]  # thousands of pounds
MILES = [18, 15, 18, 16, 15, 14, 24]  # miles per gallon
RATE = 0.01
PATH = [(0, 0, 303.71), (1.2, 0.34, 170.84), (2.05, 0.59, 103.17), (2.66, 0.78, 68.7), (3.09, 0.91, 51.13), (3.4, 1.01, 42.17)]
NOTE = [(0, 0, "303.71"), (1.2, 0.34, "170.67"), (2.75, 0.59, "67.3"), (3.17, 0.72, "50.63"), (3.47, 0.82, "42.1"),
        (3.68, 0.9, "37.74")]  # fmt: skip


def loss_of(weight, bias):
    return mse([weight * x + bias for x in POUNDS], MILES)


def descend(rate, iterations):
    """Each iteration's weight, bias, loss and two slopes; the first is at zero, before any step."""
    w, b = Value(0.0, "weight"), Value(0.0, "bias")
    for _ in range(iterations):
        loss = loss_of(w, b)
        w.grad = b.grad = 0.0
        loss.backward()
        yield w.data, b.data, loss.data, w.grad, b.grad
        w.data -= rate * w.grad
        b.data -= rate * b.grad


def closed_form():
    """The least-squares line: covariance over variance, through the point of the means."""
    x_mean, y_mean = sum(POUNDS) / len(POUNDS), sum(MILES) / len(MILES)
    covariance = sum((x - x_mean) * (y - y_mean) for x, y in zip(POUNDS, MILES, strict=True))
    weight = covariance / sum((x - x_mean) ** 2 for x in POUNDS)
    return weight, y_mean - weight * x_mean


def check(claim, got, wanted, within=0.0):
    """Stop with a message unless `got` is `wanted`, numbers give or take `within`."""
    if not (got == wanted or (within and abs(got - wanted) <= within)):
        raise SystemExit(f"{claim}: expected {wanted}, got {got}")


def main():
    path = list(descend(RATE, 6))
    print(f"First slopes: weight {path[0][3]:.1f}, bias {path[0][4]:.1f}.  Learning rate {RATE}.\n")
    print("iteration  weight  bias  loss")
    for i, (w, b, loss, *_) in enumerate(path, 1):
        print(f"{i:>9}  {w:>6.2f}  {b:>4.2f}  {loss:>6.2f}")
    check("first slope of the weight", path[0][3], -119.7, within=0.05)
    check("first slope of the bias", path[0][4], -34.3, within=0.05)
    check("the first six iterations", [tuple(round(x, 2) for x in row[:3]) for row in path], PATH)

    print("\nThe note's own table, each row beside one step from the note's row above it:\n")
    print("iteration  the note says  one step gives  the note's loss  loss at its weights")
    step, astray = (0.0, 0.0), []
    for i, (w, b, noted) in enumerate(NOTE, 1):
        astray += [i] if (round(step[0], 2), round(step[1], 2)) != (w, b) else []
        loss, slopes = value_and_grad(loss_of, argnums=(0, 1))(w, b)
        digits = len(noted.split(".")[1])
        print(f"{i:>9}     {w:.2f}  {b:.2f}      {step[0]:.2f}  {step[1]:.2f}  {'<-' if i in astray else '  '}"
              f"  {noted + ' ' * (2 - digits):>11}  {loss:>19.2f}")  # fmt: skip
        check(f"loss at the note's weights of row {i}", f"{loss:.{digits}f}", noted)
        step = w - RATE * slopes[0], b - RATE * slopes[1]
    print("\nEvery loss of the note is the loss at its own weight and bias, to as many digits as it gives.")
    print(f"Row 2 has 170.67 because they are rounded: ({path[1][0]:.4f}, {path[1][1]:.4f}) gives {path[1][2]:.2f}.")
    print("Row 3 has weight 2.75 where the step gives 2.05.  Rows 4 to 6 are right steps, but from that wrong row,")
    print("so rows 3 to 6 do not lie on the path from zero in the first table.")
    check("rows of the note that do not follow from the row above", astray, [3])
    check("rows of the note off the path", [i for i in range(1, 7) if PATH[i - 1][:2] != NOTE[i - 1][:2]], [3, 4, 5, 6])

    print("\nOn to the least-squares line, with learning rate 0.06 and patience:\n\n steps    weight       bias      loss")
    for i, (w, b, loss, *_) in enumerate(descend(0.06, 6001)):
        if i % 1000 == 0:
            print(f"{i:>6}  {w:8.5f}  {b:9.5f}  {loss:8.4f}")
    best = (*closed_form(), loss_of(*closed_form()))
    print(f"closed  {best[0]:8.5f}  {best[1]:9.5f}  {best[2]:8.4f}")
    for name, got, exact, stated in zip(("weight", "bias", "loss"), (w, b, loss), best, (-4.569, 33.585, 1.470), strict=True):
        check(f"{name} where the descent ends", got, exact, within=1e-6)
        check(f"{name} of the least-squares line", exact, stated, within=0.0005)
    print("\nChecked: slopes, path, the note's losses and its one slip, and the least-squares line.")


if __name__ == "__main__":
    main()
