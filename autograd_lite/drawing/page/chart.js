// Charts: their frame, curves that may have gaps, and lines of equal height.
const sizes = new Map(); // what was measured, until the window changes: to ask costs a layout of the page

function measured(element, how) {
  if (!sizes.has(element)) sizes.set(element, how(element));
  return sizes.get(element);
}

// A chart in pixels of its own, so that its text has the size of the page's.
function chart(element, high) {
  const wide = measured(element, () => max(240, element.clientWidth || 400));
  element.replaceChildren();
  element.setAttribute("viewBox", "0 0 " + wide + " " + high);
  element.style.height = high + "px";
  return wide;
}

const label = (element, u, v, text, anchor = "start") => draw(element, "text", { x: u, y: v, "text-anchor": anchor }, text);

function frame(element, wide, high, [left, right], [low, high2], names) {
  const X = (u) => 8 + ((u - left) / (right - left)) * (wide - 16);
  const Y = (v) => high - 20 - ((v - low) / (high2 - low)) * (high - 28);
  draw(element, "path", { class: "axis", d: "M8 8V" + (high - 20) + "H" + (wide - 8) });
  label(element, 12, 16, show(high2));
  label(element, 12, high - 25, show(low));
  label(element, 8, high - 6, show(left));
  label(element, wide - 8, high - 6, show(right), "end");
  const most = Math.floor((wide - 40) / 7.3) - 2 * max(show(left).length, show(right).length);
  label(element, wide / 2, high - 6, names.length > most ? names.slice(0, most - 1) + "…" : names, "middle");
  return [X, Y];
}

const clipped = (v) => clamp(-1e5, v === v ? v : -1e5, 1e5).toFixed(1);
const tame = (v) => clamp(-4e307, v, 4e307); // a difference of two such numbers is one, too
const poly = (points) => {
  let pen = "M";
  return points.map(([u, v]) => (isNumber(u) && isNumber(v) ? pen + clipped(u) + " " + clipped(v) + ((pen = "L"), "") : ((pen = "M"), ""))).join("");
};

// The part of a chart inside its axes, below their numbers; what leaves it is cut off.
function inset(element, wide, high) {
  const inner = draw(element, "svg", { x: 8, y: 8, width: wide - 16, height: high - 28, viewBox: "8 8 " + (wide - 16) + " " + (high - 28) });
  element.prepend(inner);
  return inner;
}

// A function of two numbers on a grid of n by n cells, row by row.
function gridOf([left, right], [low, high], f, n = 40) {
  const grid = [];
  for (let b = 0; b <= n; b++) {
    for (let a = 0; a <= n; a++) grid.push(f(left + ((right - left) * a) / n, low + ((high - low) * b) / n));
  }
  return grid;
}

// Lines of equal height, by marching squares; the lowest is around as many cells as show a narrow valley whole.  Between two
// corners the root of the height above the lowest is taken as straight, as it is in a valley, not the height.
function contours(shown, X, Y, us, vs, heights) {
  const lowest = heights.reduce((a, b) => (isNumber(b) ? min(a, b) : a), Infinity);
  const grid = heights.map((v) => (isNumber(v) ? Math.sqrt(v - lowest) : NaN));
  const sorted = Float64Array.from(grid.filter(isNumber)).sort();
  const n = Math.sqrt(grid.length) - 1;
  const levels = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((level) => sorted[Math.floor((sorted.length - 1) * (0.03 + 0.97 * (level / 10) ** 2))]);
  const lines = levels.map(() => []);
  for (let b = 0; b < n && sorted.length; b++) {
    for (let a = 0; a < n; a++) {
      const first = b * (n + 1) + a;
      const worth = [grid[first], grid[first + 1], grid[first + n + 2], grid[first + n + 1]];
      if (!worth.every(isNumber)) continue;
      const [bottom, top] = [min(...worth), max(...worth)];
      const corner = [[a, b], [a + 1, b], [a + 1, b + 1], [a, b + 1]];
      levels.forEach((value, level) => {
        if (value <= bottom || value > top) return;
        const cuts = [];
        for (let k = 0; k < 4; k++) {
          const [s, t] = [worth[k], worth[(k + 1) % 4]];
          if (s < value !== t < value) {
            const part = (value - s) / (t - s);
            const [p, q] = [0, 1].map((c) => corner[k][c] + part * (corner[(k + 1) % 4][c] - corner[k][c]));
            cuts.push([X(us[0] + ((us[1] - us[0]) * p) / n), Y(vs[0] + ((vs[1] - vs[0]) * q) / n)]);
          }
        }
        for (let k = 0; k + 1 < cuts.length; k += 2) lines[level].push("M" + cuts[k].map((c) => c.toFixed(1)).join(" ") + "L" + cuts[k + 1].map((c) => c.toFixed(1)).join(" "));
      });
    }
  }
  lines.forEach((d, level) => sorted.length && draw(shown, "path", { class: "contour", d: d.join(""), "stroke-opacity": 1 - (level + 1) * 0.08 }));
}

// Losses over steps, on a logarithmic scale where they fall over more than three powers of ten.
function lossLine(element, losses, last, high = 110) {
  const wide = chart(element, high);
  const good = losses.filter(isNumber);
  if (!good.length) return [];
  const logs = min(...good) > 0 && max(...good) > 1000 * min(...good);
  const scaled = losses.map((v) => (logs ? Math.log10(v) : tame(v)));
  let [low, top] = [min(...scaled.filter(isNumber)), max(...scaled.filter(isNumber))];
  if (!logs && low > 0) low = 0;
  if (top === low) top = low + max(1, abs(low) * 0.1);
  const X = (k) => 8 + (k / last) * (wide - 16);
  const Y = (v) => high - 20 - (((logs ? Math.log10(v) : tame(v)) - low) / (top - low)) * (high - 34);
  draw(element, "path", { class: "axis", d: "M8 8V" + (high - 20) + "H" + (wide - 8) });
  label(element, 12, 12, show(logs ? 10 ** top : top) + (logs ? " (log scale)" : ""));
  if (logs) label(element, 12, high - 25, show(10 ** low));
  label(element, 8, high - 6, "0");
  label(element, wide - 8, high - 6, "step " + last, "end");
  return [X, Y];
}
