"""Where the vertices of each layer lie across it: as near to their neighbours as their sizes allow.

Each layer is an isotonic regression: least squares of the wished places, subject to the order and the distances between
neighbours; solved exactly by pooling.  Imports nothing.
"""

from __future__ import annotations

Links = list[list[tuple[int, float, float]]]  # the neighbour, the wished difference to it, the weight of the wish


def isotonic(wished: list[float], weights: list[float]) -> list[float]:
    """The nondecreasing numbers nearest to the wished ones in weighted least squares.

    >>> isotonic([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    [1.0, 2.5, 2.5]
    """
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


def align(layers: list[list[int]], breadth: list[float], gaps: list[float], before: Links, after: Links) -> list[float]:
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
    numbered = list(enumerate(layers))
    for i in range(rounds):
        both = i >= rounds - 2
        for k, layer in numbered if i % 2 == 0 else reversed(numbered):
            wished, weights = [], []
            for v, offset in zip(layer, along[k], strict=True):
                near = before[v] + after[v] if both else (after[v] if i % 2 == 0 else before[v])
                total = weight = 0.0
                for u, difference, wish in near:
                    total += wish * (middle[u] + difference)
                    weight += wish
                if weight:
                    wished.append(total / weight - offset)
                    weights.append(weight)
                else:
                    wished.append(middle[v] - offset)
                    weights.append(0.1)
            for v, offset, z in zip(layer, along[k], isotonic(wished, weights), strict=True):
                middle[v] = z + offset
    return middle
