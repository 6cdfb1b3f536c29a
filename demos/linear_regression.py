"""Linear regression with half squared errors: three gradients by hand and by the engine, then a curve of many valleys.

Course note 002 fits yhat = theta_0 + theta_1 * x with the loss (1/2) * (y - yhat)**2.  Its three gradients are worked
out here twice, and gradient descent is followed to the closed form.  A line's loss has a single valley; the last part
takes a curve with several, where the start decides the end.
"""

from autograd_lite import Value, grad, sin

ROWS = [(1.0, 2.1), (2.0, 3.9), (3.0, 6.2), (4.0, 7.8), (5.0, 10.1)]  # made up: x, y
RATE = 0.1


def half_square(y, yhat):
    return 0.5 * (y - yhat) ** 2


def by_hand(x, y, yhat):
    """dL/dyhat, and the chain rule from there: times x for theta_1, times 1 for theta_0."""
    outer = -(y - yhat)
    return outer, outer * x, outer * 1.0


def closed_form():
    x_mean, y_mean = (sum(column) / len(ROWS) for column in zip(*ROWS, strict=True))
    slope = sum((x - x_mean) * (y - y_mean) for x, y in ROWS) / sum((x - x_mean) ** 2 for x, _ in ROWS)
    return y_mean - slope * x_mean, slope


def curve(x):
    """Waves in a shallow bowl."""
    return sin(3.0 * x) + 0.1 * x**2


def check(claim, got, wanted, within=0.0):
    """Stop with a message unless `got` is `wanted`, numbers give or take `within`."""
    if not (got == wanted or (within and abs(got - wanted) <= within)):
        raise SystemExit(f"{claim}: expected {wanted}, got {got}")


def main():
    print("Gradients at theta_0 = 0.5, theta_1 = 1:\n")
    print("                      dL/dyhat          dL/dtheta_1         dL/dtheta_0")
    print("  x     y  yhat   by hand   engine   by hand   engine   by hand   engine")
    for x, number in ROWS:
        theta_0, theta_1, y = Value(0.5), Value(1.0), Value(number)
        yhat = theta_0 + theta_1 * x
        half_square(y, yhat).backward()
        pairs = list(zip(by_hand(x, y.data, yhat.data), (yhat.grad, theta_1.grad, theta_0.grad), strict=True))
        print(f"{x:3.0f}  {number:4.1f}  {yhat.data:4.1f}" + "".join(f"  {h:8.4f} {e:8.4f}" for h, e in pairs))
        for name, (h, e) in zip(("yhat", "theta_1", "theta_0"), pairs, strict=True):
            check(f"dL/d{name} at x = {x}", e, h, within=1e-12)
        check(f"dL/dy at x = {x}, against the one by yhat", y.grad, -yhat.grad, within=1e-12)
    print("\nThe note has two slips, seen here in the last row.")
    print(f"It calls -(y - yhat) the gradient by y.  It is the one by yhat, {yhat.grad:.4f}; the one by y is {y.grad:.4f}.")
    print(f"It writes the chain of theta_0 as dL/dtheta_0 * dL/dtheta_1, which is {theta_0.grad * theta_1.grad:.4f}.")
    print(f"Right is dL/dyhat * dyhat/dtheta_0 = {yhat.grad:.4f} * 1 = {theta_0.grad:.4f}.")

    theta_0, theta_1 = Value(0.0), Value(0.0)
    print(f"\nGradient descent on the mean loss of the five rows, learning rate {RATE}:\n\n step   theta_0   theta_1      loss")
    for step in range(2001):
        loss = sum(half_square(y, theta_0 + theta_1 * x) for x, y in ROWS) / len(ROWS)
        theta_0.grad = theta_1.grad = 0.0
        loss.backward()
        if step in (0, 1, 10, 100, 1000, 2000):
            print(f"{step:>5}  {theta_0.data:8.5f}  {theta_1.data:8.5f}  {loss.data:8.5f}")
        theta_0.data -= RATE * theta_0.grad
        theta_1.data -= RATE * theta_1.grad
    print("closed {:8.5f}  {:8.5f}".format(*closed_form()))
    for theta, exact in zip((theta_0, theta_1), closed_form(), strict=True):
        check("where the descent ends, against the closed form", theta.data, exact, within=1e-9)

    print("\nDescent on sin(3x) + 0.1 x**2, from nine starts:\n\nstart       end    height     slope   curvature")
    ends = {}  # height and place of a minimum -> the starts that come to it
    for start in range(-4, 5):
        x = float(start)
        for _ in range(200):
            x -= 0.05 * grad(curve)(x)
        slope, curvature = grad(curve)(x), grad(grad(curve))(x)
        ends.setdefault((round(curve(x), 6), round(x, 6)), []).append(start)
        print(f"{start:>5}  {x:8.5f}  {curve(x):8.5f}  {abs(slope):8.1e}  {curvature:10.5f}")
        check(f"slope where the descent from {start} ends", slope, 0.0, within=1e-9)
        check(f"the curve bends upwards where the descent from {start} ends", curvature > 0.0, True)
    print(f"\n{len(ends)} minima.  The deepest is at x = {min(ends)[1]:.5f}, and only the starts -1 and 0 come to it.")
    check("the number of minima, the starts that come to the deepest", (len(ends), ends[min(ends)]), (5, [-1, 0]))
    print("\nChecked: the gradients, the note's two slips, the fitted line, and that every end is a minimum.")


if __name__ == "__main__":
    main()
