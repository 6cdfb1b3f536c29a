"""Which sums of a batch are added up together, and when.  None of it needs llvmlite."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite.compiler.llvm.prepare import SumTerm
from autograd_lite.compiler.llvm.sums import MOST_TOGETHER, ROOM, SumLayout, sums, tiles

factors = st.integers(0, 3) | st.integers(0, 9)


def loads(terms: Sequence[SumTerm], groups: Sequence[Sequence[int]]) -> int:
    """How many factors the groups load for one block."""
    return sum(len({f for k in group for f in terms[k] if f is not None}) for group in groups)


@given(st.lists(st.builds(SumTerm, factors, st.none() | factors), max_size=80), st.sampled_from([1, 4, 9, 24]))
def test_every_sum_is_in_one_group_of_the_size_allowed(terms: list[SumTerm], room: int) -> None:
    groups = tiles(terms, room)
    assert sorted(k for group in groups for k in group) == list(range(len(terms)))
    assert all(0 < len(group) <= room for group in groups)


@pytest.mark.parametrize(
    ("rows", "columns", "room", "most"),
    [
        (16, 16, 24, 0.55),  # of the net 2-16-16-1; one factor after the other would take 1.06
        (16, 16, 9, 0.76),
        (3, 50, 24, 0.5),
        (50, 3, 24, 0.5),
        (1, 30, 24, 1.1),
        (30, 1, 24, 1.1),
    ],
)
def test_a_factor_loaded_serves_several_sums(rows: int, columns: int, room: int, most: float) -> None:
    terms = [SumTerm(a, rows + b) for a in range(rows) for b in range(columns)]
    assert loads(terms, tiles(terms, room)) <= most * len(terms)
    random.Random(0).shuffle(terms)
    assert loads(terms, tiles(terms, room)) <= most * len(terms)
    turned = [SumTerm(b, a) for a, b in terms]
    assert loads(turned, tiles(turned, room)) <= most * len(terms)


def test_biases_and_weights_of_a_layer_are_added_up_together() -> None:
    d, h = range(16), range(16, 32)
    terms = [SumTerm(a, b) for a in d for b in (*h, None)]
    assert loads(terms, tiles(terms, 24)) <= 0.52 * len(terms)


def test_a_product_asked_for_twice_is_in_one_group_twice() -> None:
    assert tiles([SumTerm(0, 1), SumTerm(2, None), SumTerm(1, 0), SumTerm(3, 3)], 9) == [[0, 2, 1, 3]]


def test_products_of_some_factors_with_each_other_are_each_in_one_group() -> None:
    assert tiles([SumTerm(0, 0), SumTerm(0, 1), SumTerm(1, 1)], 9) == [[0, 1, 2]]
    terms = [SumTerm(a, b) for a in range(12) for b in range(a + 1)]
    assert sorted(k for group in tiles(terms, 24) for k in group) == list(range(78))


def test_no_sums_are_no_groups() -> None:
    assert tiles([], 24) == []
    text, names = sums([], 0, 8, False, 100)
    assert names == ("sums0",)
    assert "fadd" not in text


def test_sums_are_cut_into_functions_of_the_length_asked_for() -> None:
    terms = [SumTerm(k, k + 1) for k in range(300)]
    text, names = sums(terms, 301, 8, False, 500)
    assert names == tuple(f"sums{i}" for i in range(len(names)))
    assert len(names) >= 5
    assert max(len(part.splitlines()) for part in text.split("define ")) < 900
    assert text.count(" = fadd <8 x double>") == text.count(" = fmul <8 x double>") == 300


def layout(factors: int, steps: int, outputs: int = 300) -> SumLayout:
    return SumLayout(8, 3, outputs, factors, steps, 0, 0)


def test_as_many_blocks_are_added_up_at_once_as_the_caches_allow() -> None:
    assert (layout(68, 1_400).together, layout(68, 1_400).most) == (4, MOST_TOGETHER)
    assert (layout(68, 2_600).together, layout(68, 2_600).most) == (MOST_TOGETHER, MOST_TOGETHER)  # much code
    assert (layout(2, 100).together, layout(2, 100).most) == (MOST_TOGETHER, MOST_TOGETHER)
    assert (layout(100_000, 500_000).together, layout(100_000, 500_000).most) == (1, 1)


def test_the_parts_of_the_memory_do_not_overlap() -> None:
    for factors in (1, 68, 5_000):
        at = layout(factors, 1_400)
        assert at.sums == 8 * 3
        assert at.kept == at.sums + 8 * 300
        assert at.totals == at.kept + 8 * factors * (at.most + 1) >= at.kept + 8 * factors * (at.together + 1)
        assert at.frames >= at.totals + 300
        assert at.size >= at.frames


def test_the_memory_holds_the_frame_of_all_lanes_and_that_of_what_is_shared() -> None:
    for width, frame, shared in ((8, 7, 3), (4, 7, 3), (8, 1, 500)):
        at = SumLayout(width, 3, 300, 68, 1_400, frame, shared)
        assert at.size >= at.frames + max(width * frame, shared)


def test_sums_that_stay_in_registers_leave_room_for_factors() -> None:
    assert all(room < registers for room, registers in ((ROOM[8], 32), (ROOM[4], 16)))


def test_sums_are_fused_with_fastmath_only() -> None:
    text, _ = sums([SumTerm(0, 1), SumTerm(0, None)], 2, 8, True, 100)
    assert text.count("= fadd contract") == 2
    assert "contract" not in sums([SumTerm(0, 1), SumTerm(0, None)], 2, 8, False, 100)[0]
