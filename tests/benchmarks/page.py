"""How long the live page takes to work a network out anew while a weight is pulled: milliseconds a move, in headless Chromium.

    python tests/benchmarks/page.py

The network is 2-16-16-1 with 337 weights folded into its cards; a frame is 16 ms.  A move is the page's script and what the
browser does before the frame is shown: styles, layout and paint.  By the clock, from the start of a frame to the first task
behind its paint; and by the processor's time of the page's thread, in which a busy machine counts for little.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograd_lite import Value, draw
from autograd_lite.nn import MLP
from tests.drawing import chromium

FRAME = 16.0  # milliseconds
PULL = """(async () => {
  const slider = document.querySelectorAll(".leaf input[type=range]")[3], script = [], whole = [];
  const { port1, port2 } = new MessageChannel();
  for (let k = 0; k < 60; k++) {
    await new Promise(requestAnimationFrame);
    const before = performance.now();
    slider.value = 0.05 * k - 1.5;
    slider.dispatchEvent(new Event("input"));
    script.push(performance.now() - before);
    await new Promise((painted) => { port1.onmessage = painted; port2.postMessage(0); });
    whole.push(performance.now() - before);
  }
  return [script, whole].map((times) => times.sort((a, b) => a - b));
})()"""
PARTS = {"ScriptDuration": "script", "RecalcStyleDuration": "styles", "LayoutDuration": "layout", "TaskDuration": "in all"}


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
        before = spent(page)
        script, whole = page.js(PULL)
        count = len(script)
        own = {what: 1000.0 * (seconds - before[what]) / count for what, seconds in spent(page).items()}
    own["paint and the rest"] = own["in all"] - own["script"] - own["styles"] - own["layout"]
    print(f"{path.name}, {count} moves; by the clock, in milliseconds:")
    for what, times in (("script", script), ("whole frame", whole)):
        print(f"  {what:12} median {times[count // 2]:5.1f}, 9 of 10 within {times[9 * count // 10]:5.1f}")
    print("of the processor, each: " + ", ".join(f"{what} {ms:.1f} ms" for what, ms in own.items()))
    late = whole[count // 2] > FRAME
    print(f"goal: {FRAME:g} ms for the whole frame: {'missed' if late else 'met'}")


def spent(page: chromium.Page) -> dict[str, float]:
    """Seconds of the page's thread so far, by what for."""
    metrics = {each["name"]: float(each["value"]) for each in page.call("Performance.getMetrics")["metrics"]}
    return {what: metrics[name] for name, what in PARTS.items()}


if __name__ == "__main__":
    main()
