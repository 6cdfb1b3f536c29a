"""How long the live page takes to work a network out anew while a weight is pulled: milliseconds a move, in headless Chromium.

    python tests/benchmarks/page.py

The network is 2-16-16-1 with 337 weights folded into its cards; a frame is 16 ms.  By the clock, and of the page's own
script by the processor's time, in which a busy machine counts for little.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograd_lite import Value, draw
from autograd_lite.nn import MLP
from tests.drawing import chromium

PULL = """(async () => {
  const slider = document.querySelectorAll(".leaf input[type=range]")[3], times = [];
  for (let k = 0; k < 60; k++) {
    slider.value = 0.05 * k - 1.5;
    const before = performance.now();
    slider.dispatchEvent(new Event("input"));
    times.push(performance.now() - before);
    await new Promise(requestAnimationFrame);
  }
  return times.sort((a, b) => a - b);
})()"""


def main() -> None:
    model = MLP(2, [16, 16, 1], seed=1337)
    loss = (model([Value(0.5, "x0"), Value(-1.2, "x1")]) - Value(1.0, "y")) ** 2
    with tempfile.TemporaryDirectory() as folder, chromium.Browser(chromium.find() or "chromium") as browser:
        path = Path(folder, "network.html")
        draw(loss, params=model, engine="builtin").save(path)
        page = browser.page(1400, 900)
        page.go(path.as_uri())
        page.call("Performance.enable", timeDomain="threadTicks")
        page.js(PULL)  # as warm as a page is while somebody pulls
        before = script(page)
        times = page.js(PULL)
        own = 1000.0 * (script(page) - before) / len(times)
    print(
        f"{path.name}: {len(times)} moves, median {times[30]:.1f} ms, 9 of 10 within {times[54]:.1f} ms; "
        f"{own:.1f} ms of the processor each"
    )


def script(page: chromium.Page) -> float:
    """Seconds that the page's script has run."""
    metrics = page.call("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "ScriptDuration"))


if __name__ == "__main__":
    main()
