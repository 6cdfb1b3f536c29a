"""The order of the lines in a function: steps that wait for each other are moved apart.

A long sum is a chain in which each addition waits for the one before.  A processor looks ahead, but not far enough to fill
the time with the next sum; a compiler could reorder, but LLVM does so for the registers only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from heapq import heappop, heappush

# Steps looked at.  Wider windows take more registers than there are: the net of 337 weights takes 45 ns a row with 32, 49 with
# 128.  Where the steps in a row that wait for each other take longer than all do by themselves, that is worth it: a price with
# its Greeks takes 11.8 ns with 256, 13.0 with 32.
WINDOW, WIDE = 32, 256
TOGETHER, AT_LEAST = 4, 2  # begun in one cycle, where a processor has as many units, and on all
LATENCY, LATENCIES = 3, {"fdiv": 14, "call": 4, "fcmp": 5}  # cycles until a result can be used
OPERANDS = (
    "getelementptr",
    "load",
    "insertelement",
    "shufflevector",
    "mul",
    "bitcast",
)  # become operands of a step, or cost nothing

_NAME = re.compile(r"%t\d+")


def arranged(lines: Iterable[str]) -> list[str]:
    """The same lines in an order in which they wait for each other less; none before what it needs.

    Steps that most others wait for, one after the other, come first, out of a window of those not begun yet.

    >>> arranged(["  %t1 = fadd double %a, %b", "  %t2 = fadd double %t1, %b", "  %t3 = fadd double %a, %a"])
    ['  %t1 = fadd double %a, %b', '  %t3 = fadd double %a, %a', '  %t2 = fadd double %t1, %b']
    """
    steps: list[list[str]] = []  # a step is a line that computes, after the lines that make its operands
    users: list[list[int]] = []
    missing: list[int] = []
    cycles: list[int] = []
    maker: dict[str, int] = {}
    pending: list[str] = []
    made: list[str] = []  # what the lines of this step make
    needed: set[int] = set()
    for line in lines:
        pending.append(line)
        names = _NAME.findall(line)
        equals = line.find(" = ")
        if equals >= 0:
            made.append(names.pop(0))
        needed.update([maker[name] for name in names if name in maker])
        if equals >= 0 and line.startswith(OPERANDS, equals + 3):
            continue
        step = len(steps)
        for name in made:
            maker[name] = step
        for other in needed:
            users[other].append(step)
        steps.append(pending)
        users.append([])
        missing.append(len(needed))
        cycles.append(LATENCIES.get(line[equals + 3 : line.find(" ", equals + 3)], LATENCY))
        pending, made, needed = [], [], set()
    after = [0] * len(steps)  # cycles from the beginning of a step to the end of all that waits for it
    for step in range(len(steps) - 1, -1, -1):
        after[step] = cycles[step] + max([after[user] for user in users[step]], default=0)
    window = WIDE if max(after, default=0) > len(steps) // AT_LEAST else WINDOW

    result: list[str] = []
    begun = bytearray(len(steps) + 1)
    free = [0] * len(steps)  # the cycle in which a step's operands are there
    ready: list[tuple[int, int]] = []
    soon: list[tuple[int, int]] = []
    first = entered = cycle = 0
    while first < len(steps):
        while entered < first + window and entered < len(steps):
            if not missing[entered]:
                heappush(soon, (free[entered], entered))
            entered += 1
        while soon and soon[0][0] <= cycle:
            step = heappop(soon)[1]
            heappush(ready, (-after[step], step))
        for _ in range(min(TOGETHER, len(ready))):
            step = heappop(ready)[1]
            result += steps[step]
            begun[step] = 1
            for user in users[step]:
                missing[user] -= 1
                free[user] = max(free[user], cycle + cycles[step])
                if not missing[user] and user < entered:
                    heappush(soon, (free[user], user))
        while begun[first]:
            first += 1
        cycle += 1
    return result + pending
