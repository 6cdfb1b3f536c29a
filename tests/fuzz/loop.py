"""Runs an entry under Atheris where that is installed, else on mutations of its seeds."""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence

Entry = Callable[[bytes], None]


def mutated(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A seed with bytes changed, taken out, doubled, or joined with another's."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.randint(1, 8)):
        i = draw.randint(0, len(data))
        j = min(len(data), i + draw.choice((1, 1, 2, 4, 16)))
        match draw.randrange(5):
            case 0:
                data[i:j] = bytes(draw.randrange(256) for _ in range(j - i))
            case 1:
                del data[i:j]
            case 2:
                data[i:i] = data[i:j] * draw.choice((1, 2, 50))
            case 3:
                other = draw.choice(seeds)
                k = draw.randint(0, len(other))
                data[i:j] = other[k : k + draw.randint(1, 20)]
            case _:
                data[i:i] = draw.choice(
                    (b"\0", b"\xff", b"-", b"9" * 400, b"(" * 60, b"e999", b"nan", b'"', b"[", b"{", b"\r\n")
                )
    return bytes(data[:20_000])


def run(entry: Entry, seeds: Sequence[bytes], count: int | None = None, seconds: float = 1e9, seed: int = 0) -> int:
    """Call an entry on its seeds and on mutations of them; how often.  What it raises is a fault, with the input in a note."""
    draw, done, end = random.Random(seed), 0, time.monotonic() + seconds
    while (count is None or done < count) and time.monotonic() < end:
        data = seeds[done] if done < len(seeds) else mutated(draw, seeds)
        try:
            entry(data)
        except BaseException as error:
            error.add_note(f"the input was {data!r}")
            raise
        done += 1
    return done


def refused(error: Exception, name: str = "") -> None:
    """An error of ours is short, and names the file."""
    assert name in str(error), error
    assert len(str(error)) < 4_000, len(str(error))


def main(entry: Entry, seeds: Sequence[bytes]) -> None:
    """The command line of an entry."""
    try:
        import atheris  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        parser = argparse.ArgumentParser()
        parser.add_argument("--seconds", type=float, default=60.0)
        parser.add_argument("--seed", type=int, default=0)
        given = parser.parse_args()
        print(f"{run(entry, seeds, seconds=given.seconds, seed=given.seed):,} inputs, none of them a fault")
    else:
        atheris.instrument_all()
        atheris.Setup(sys.argv, entry)
        atheris.Fuzz()
