"""What a derivative is: the limit of a difference quotient, and the direction in which a step goes downhill.

Three short experiments after course notes 000 and 001.  The engine's slope of x**2 at 5 is compared with 2 * 5.  Then
(f(x + h) - f(x)) / h is worked out for smaller and smaller h: it closes in on the slope, until h is so small that the
subtraction is left with nothing but rounding.  Last, two ways to write an update are tried from several starts.
"""

import math

from autograd_lite import grad, sin

CURVES = [  # name, function, where, slope there
    ("x*w by w", lambda w: 3.0 * w, 2.0, 3.0),
    ("x**2", lambda x: x**2, 5.0, 10.0),
    ("sin(x)", sin, 1.0, math.cos(1.0)),
]
RATE = 0.1
STEPS = 50


def loss_of(w):
    """A bowl whose lowest point is at w = 3."""
    return (w - 3.0) ** 2


def plain(w):
    return w - RATE * grad(loss_of)(w)


def times_w(w):
    return w - RATE * grad(loss_of)(w) * w


def walk(update, w):
    """Where `update` leads from w, given up beyond a million."""
    for _ in range(STEPS):
        w = update(w) if abs(w) < 1e6 else w
    return w


def check(claim, got, wanted, within=0.0):
    """Stop with a message unless `got` is `wanted`, numbers give or take `within`."""
    if not (got == wanted or (within and abs(got - wanted) <= within)):
        raise SystemExit(f"{claim}: expected {wanted}, got {got}")


def main():
    slope = grad(lambda x: x**2)(5.0)
    print(f"The slope of x**2 at 5 is {slope:g}.")
    check("slope of x**2 at 5", slope, 10.0)

    print("\nThe difference quotient of three functions, and how far it is from the slope:\n")
    print("     h" + "".join(f"  {f'{name} at {x:g}':>15}     error" for name, _, x, _ in CURVES))
    sizes = [10.0**-k for k in range(1, 17)]
    errors = {name: [] for name, *_ in CURVES}
    for h in sizes:
        quotients = [(f(x + h) - f(x)) / h for _, f, x, _ in CURVES]
        for quotient, (name, *_, exact) in zip(quotients, CURVES, strict=True):
            errors[name].append(abs(quotient - exact))
        print(f"{h:6.0e}" + "".join(f"  {q:15.10f}  {e[-1]:8.1e}" for q, e in zip(quotients, errors.values(), strict=True)))
    print("engine" + "".join(f"  {grad(f)(x):15.10f}  {abs(grad(f)(x) - exact):8.1e}" for _, f, x, exact in CURVES))
    best = {name: sizes[found.index(min(found))] for name, found in errors.items()}
    print("\nx*w is a straight line: any h would do, and what error there is comes from rounding and grows as h shrinks.")
    print(f"For x**2 the error falls with h as far as {best['x**2']:.0e}, for sin(x) as far as {best['sin(x)']:.0e};")
    print("from there on rounding takes over.  At h = 1e-16, x + h is x itself, and every quotient is 0.")
    print("The engine applies the rule of each operation and subtracts nothing, so none of this touches it.")
    for name, f, x, exact in CURVES:
        check(f"the engine's slope of {name}", grad(f)(x), exact)
        check(f"error of {name} at h = 1e-16", errors[name][-1], abs(exact))
    for name, power in (("x*w by w", -1.0), ("x**2", -7.5), ("sin(x)", -8.0)):
        check(f"the power of ten of the best h for {name}", math.log10(best[name]), power, within=1.0)

    print(f"\nTwo updates on the loss (w - 3)**2, {STEPS} steps with a = {RATE}, given up beyond a million:\n")
    print("                 by w - a*grad          by w - a*grad*w\nstart   loss        w      loss            w      loss")
    for start in (4.0, 1.0, 0.0, -1.0, -4.0):
        before, end, other = loss_of(start), walk(plain, start), walk(times_w, start)
        print(f"{start:5.1f}  {before:5.1f}  {end:7.4f}  {loss_of(end):8.1e}  {other:11.4g}  {loss_of(other):8.1e}")
        check(f"w - a*grad lowers the loss from {start}", loss_of(plain(start)) < before, True)
        check(f"where w - a*grad leads from {start}", end, 3.0, within=1e-3)
        after = loss_of(times_w(start))
        turn = "falls" if after < before else "rises" if after > before else "stays"
        check(f"the loss by w - a*grad*w from {start}", turn, "falls" if start > 0 else "rises" if start < 0 else "stays")
    print("\nw - a*grad goes downhill from every start.  The factor w that note 000 adds makes the step nothing where w is 0,")
    print("and turns it round where w is negative: the loss rises.")
    print("\nChecked: the slopes, where rounding takes over, and where both updates lead.")


if __name__ == "__main__":
    main()
