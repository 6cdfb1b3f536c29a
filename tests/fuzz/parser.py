"""The parser of formulas: any text gives a formula that can be computed, or the parser's own error."""

from autograd_lite.errors import AutogradError
from autograd_lite.formula.expression import parse
from tests.fuzz import loop

SEEDS = [
    b"w*x + b", b"sin(x)**2 / (1 + exp(-x))", b"where(x < 1, x, -x)", b"maximum(a, b, c) % 3 // 2", b"-2**-x**3", b"`a b`*2",
    b"a[group] + 1.5e-3", b"log(x, 2) >= 1 and x != 0", b"polygamma(1, x)", b"((((x))))", b"9**9**9**9", b"is(site, \"A\")*3",
]  # fmt: skip


def TestOneInput(data: bytes) -> None:  # noqa: N802 (Atheris's name)
    """One text."""
    try:
        found = parse(data.decode("utf-8", "replace"))
    except AutogradError as error:
        loop.refused(error)
        return
    str(found)


if __name__ == "__main__":
    loop.main(TestOneInput, SEEDS)
