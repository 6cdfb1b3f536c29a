"""Where a run came along: its weights at no more than some hundred of its steps, evenly spread."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 300


class Trail:
    """Weights by step; of a long run every second, fourth, ... step is kept.

    >>> trail = Trail(most=4)
    >>> for step in range(11):
    ...     trail.add(step, [step / 10])
    >>> trail.ended(11, [1.1])
    [(0, [0.0]), (4, [0.4]), (8, [0.8]), (11, [1.1])]
    """

    def __init__(self, most: int = MOST) -> None:
        self.most, self.apart = most, 1
        self.points: list[tuple[int, list[float]]] = []

    def add(self, step: int, x: Sequence[float]) -> None:
        """The weights before a step."""
        if step % self.apart:
            return
        self.points.append((step, list(x)))
        if len(self.points) > self.most:
            self.apart *= 2
            self.points = [point for point in self.points if point[0] % self.apart == 0]

    def ended(self, step: int, x: Sequence[float]) -> list[tuple[int, list[float]]]:
        """The points and the last."""
        return [*(point for point in self.points if point[0] < step), (step, list(x))]
