"""Crossings and isotonic places, against brute force."""

import itertools
import random

import pytest

from autograd_lite.drawing.order import align, arrange, crossings, isotonic


def bipartite(seed):
    draws = random.Random(seed)
    m, n = draws.randint(1, 5), draws.randint(1, 5)
    edges = {(draws.randrange(m), m + draws.randrange(n)) for _ in range(draws.randint(1, 10))}
    before = [[] for _ in range(m + n)]
    after = [[] for _ in range(m + n)]
    for a, b in sorted(edges):
        before[b].append((a, 0.0))
        after[a].append((b, 0.0))
    return list(range(m)), list(range(m, m + n)), sorted(edges), before, after


def count(left, right, edges):
    pairs = itertools.combinations([(left.index(a), right.index(b)) for a, b in edges], 2)
    return sum((a - c) * (b - d) < 0 for (a, b), (c, d) in pairs)


@pytest.mark.parametrize("seed", range(100))
def test_crossings_are_counted_right_and_nearly_removed(seed):
    left, right, edges, before, after = bipartite(seed)
    place = [0] * (len(left) + len(right))
    for layer in (left, right):
        for i, v in enumerate(layer):
            place[v] = i
    at_first = count(left, right, edges)
    assert crossings(right, before, place) == at_first
    layers = [right[:], left[:]]
    arrange(layers, before, after)
    assert sorted(layers[0]) == right
    assert sorted(layers[1]) == left
    fewest = min(count(p, q, edges) for p in itertools.permutations(left) for q in itertools.permutations(right))
    assert count(layers[1], layers[0], edges) <= min(at_first, fewest + 1)


@pytest.mark.parametrize("seed", range(50))
def test_isotonic_is_the_least_squares_answer(seed):
    draws = random.Random(seed)
    wished = [draws.uniform(-3, 3) for _ in range(draws.randint(1, 8))]
    weights = [draws.uniform(0.1, 3) for _ in wished]
    got = isotonic(wished, weights)
    assert got == sorted(got)

    def cost(xs):
        return sum(w * (x - y) ** 2 for w, x, y in zip(weights, xs, wished, strict=True))

    for _ in range(200):  # no nondecreasing neighbour is better
        other = sorted(x + draws.gauss(0, 0.05) for x in got)
        assert cost(got) <= cost(other) + 1e-12


def test_vertices_keep_their_distances():
    layers = [[0], [1, 2, 3]]
    before = [[(1, 0.0, 1.0), (2, 0.0, 1.0), (3, 0.0, 1.0)], [], [], []]
    after = [[], [(0, 0.0, 1.0)], [(0, 0.0, 1.0)], [(0, 0.0, 1.0)]]
    middle = align(layers, [10.0, 20.0, 30.0, 40.0], [5.0, 5.0, 5.0, 8.0], before, after)
    assert middle[2] - middle[1] == pytest.approx(30.0)
    assert middle[3] - middle[2] == pytest.approx(43.0)
    assert middle[0] == pytest.approx(sum(middle[1:]) / 3)
