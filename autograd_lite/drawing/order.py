"""The order of the vertices within each layer, so that few edges cross: barycentre and median sweeps, then transposes.

A layered graph is lists by vertex: `before[v]` are the vertices one layer nearer the leaves that edges come from, `after[v]`
those one layer nearer the root, each with the port as a fraction of the other end's breadth, -0.5 to 0.5.  Then where the
vertices lie: as near to their neighbours as their sizes allow.  Each layer is an isotonic regression, least squares of the
wished places subject to the order and the distances between neighbours, solved exactly by pooling.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise

Links = list[list[tuple[int, float]]]

STILL = 6  # rounds without a better order, after which no more are tried
SMALL, LARGE = 2500, 25000  # links up to which much, and a little, is tried


def arrange(layers: list[list[int]], before: Links, after: Links) -> None:
    """Reorder each layer in place."""
    size = sum(map(len, before))
    rounds = 12 if size <= SMALL else 4 if size <= LARGE else 2 if size <= 4 * LARGE else 1
    place = [0] * len(before)
    for layer in layers:
        _enter_places(layer, place)
    best, fewest = [layer[:] for layer in layers], _all_crossings(layers, before, place)
    found = 0  # the last round that was better
    for i in range(rounds):
        if not fewest or i - found > STILL:
            break
        middle = _median if i % 4 >= 2 else _barycentre
        inward = i % 2 == 0
        for layer in layers if inward else reversed(layers):
            _sort(layer, after if inward else before, place, middle, turn=i % 3 == 1)
        if size <= SMALL:
            _transpose(layers, before, after, place)
        crossings = _all_crossings(layers, before, place)
        if crossings < fewest:
            best, fewest, found = [layer[:] for layer in layers], crossings, i
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _enter_places(layer: list[int], place: list[int]) -> None:
    for i, v in enumerate(layer):
        place[v] = i


def _barycentre(keys: list[float]) -> float:
    return sum(keys) / len(keys)


def _median(keys: list[float]) -> float:
    keys.sort()
    half = len(keys) // 2
    return keys[half] if len(keys) % 2 else (keys[half - 1] + keys[half]) / 2


def _sort(layer: list[int], links: Links, place: list[int], middle: object, turn: bool) -> None:
    """Sort by where the neighbours on one side are; a vertex without any keeps its place, and `turn` swaps equals."""
    assert callable(middle)
    if len(layer) < 2:
        return
    keys = {}
    for i, v in enumerate(layer):
        near = links[v]
        keys[v] = middle([place[u] + port for u, port in near]) if near else float(i)
    if turn:
        layer.reverse()
    layer.sort(key=keys.__getitem__)
    _enter_places(layer, place)


def crossings(layer: list[int], before: Links, place: list[int]) -> int:
    """How many pairs of edges into a layer cross."""
    count = 0
    seen: list[float] = []
    for v in layer if len(layer) > 1 else ():
        ends = [place[u] + port for u, port in before[v]]
        for end in ends:
            count += len(seen) - bisect_right(seen, end)
        for end in ends:
            insort(seen, end)
    return count


def _all_crossings(layers: list[list[int]], before: Links, place: list[int]) -> int:
    return sum(crossings(layer, before, place) for layer in layers)


def _transpose(layers: list[list[int]], before: Links, after: Links, place: list[int]) -> None:
    """Swap neighbours as long as that removes crossings."""
    stale = set(range(len(layers)))  # layers of which something changed since they were looked at
    for _ in range(4):
        waiting, stale = stale, set()
        for k in sorted(waiting):
            if _transposed(layers[k], before, after, place):
                stale.update((k - 1, k, k + 1))
        stale.intersection_update(range(len(layers)))
        if not stale:
            return


def _transposed(layer: list[int], before: Links, after: Links, place: list[int]) -> bool:
    """One walk along a layer; whether anything was swapped."""
    if len(layer) < 2:
        return False
    ends = [[[place[w] + port for w, port in links[v]] for links in (before, after)] for v in layer]
    swapped = False
    for i in range(len(layer) - 1):
        fewer = 0
        for first, second in zip(ends[i], ends[i + 1], strict=True):
            for a in first:
                for b in second:
                    fewer += (a > b) - (a < b)
        if fewer > 0:
            layer[i], layer[i + 1] = layer[i + 1], layer[i]
            ends[i], ends[i + 1] = ends[i + 1], ends[i]
            place[layer[i]], place[layer[i + 1]] = i, i + 1
            swapped = True
    return swapped


# -- places ----------------------------------------------------------------------------------------------------------

Wishes = list[list[tuple[int, float, float]]]  # the neighbour, the wished difference to it, the weight of the wish


def isotonic(wished: list[float], weights: list[float]) -> list[float]:
    """The nondecreasing numbers nearest to the wished ones in weighted least squares.

    >>> isotonic([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    [1.0, 2.5, 2.5]
    """
    if all(a <= b for a, b in pairwise(wished)):
        return wished
    pools: list[tuple[float, float, int]] = []
    for x, weight in zip(wished, weights, strict=True):
        count = 1
        while pools and pools[-1][0] > x:
            y, other, more = pools.pop()
            x = (x * weight + y * other) / (weight + other)
            weight += other
            count += more
        pools.append((x, weight, count))
    return [x for x, _, count in pools for _ in range(count)]


def align(layers: list[list[int]], breadth: list[float], gaps: list[float], before: Wishes, after: Wishes) -> list[float]:
    """The middle of each vertex across the layers.

    Args:
        layers: vertices in order.
        breadth: of each vertex.
        gaps: the room each vertex wants on either side.
        before, after: the links of each vertex to the layers next to its own.
    """
    middle = [0.0] * len(breadth)
    along: list[list[float]] = []  # each layer's vertices as close as they may be
    for layer in layers:
        offsets: list[float] = []
        so_far = 0.0
        for i, v in enumerate(layer):
            if i:
                u = layer[i - 1]
                so_far += (breadth[u] + breadth[v]) / 2 + max(gaps[u], gaps[v])
            offsets.append(so_far)
            middle[v] = so_far
        along.append(offsets)
        for v in layer:
            middle[v] -= so_far / 2
    rounds = 16 if len(breadth) < 3000 else 4
    numbered = list(zip(layers, along, strict=True))
    for i in range(rounds):
        both = i >= rounds - 2
        for layer, offsets in numbered if i % 2 == 0 else reversed(numbered):
            wished, weights = [], []
            for v, offset in zip(layer, offsets, strict=True):
                near = before[v] + after[v] if both else (after[v] if i % 2 == 0 else before[v])
                total = weight = 0.0
                for u, difference, wish in near:
                    total += wish * (middle[u] + difference)
                    weight += wish
                wished.append(total / weight - offset if weight else middle[v] - offset)
                weights.append(weight or 0.1)
            for v, offset, z in zip(layer, offsets, isotonic(wished, weights), strict=True):
                middle[v] = z + offset
    return middle
