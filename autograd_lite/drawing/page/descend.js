// Gradient descent by hand or by itself: every leaf that is ticked moves against its slope, times the rate.
let trail = []; // the leaves at each step so far, the present one last
let losses = [];
let running = 0;
let verdict = "";
let rate = 0.01;

const ticked = () => leaves.map((_, i) => i).filter((i) => moves[i] && leaves[i].g !== null);

function beginAgain() {
  trail = [x.slice()];
  losses = [o[data.result]];
  verdict = "";
}

// One step; false where it would leave the numbers, which is said and not done.
function descend() {
  const next = x.slice();
  for (const i of ticked()) next[i] = x[i] - rate * o[leaves[i].g];
  const value = globalValue(next)[0];
  const first = Math.abs(losses[0]);
  if (!ticked().length) verdict = "Tick a leaf that a gradient reaches.";
  else if (!isNumber(value) || next.some((each) => !isNumber(each)) || Math.abs(value) > 1e12 * Math.max(first, 1)) {
    verdict = "Step " + trail.length + " would take " + data.name + " to " + show(value) + ": with the rate " + show(rate) + " the steps overshoot further each time. Lower the rate and press Reset.";
  } else {
    x = next;
    trail.push(x.slice());
    o = run(x);
    losses.push(o[data.result]);
    verdict = losses.length > 3 && losses.at(-1) > losses.at(-2) && losses.at(-2) > losses.at(-3) ? data.name + " grows from step to step: the rate " + show(rate) + " is too large here." : "";
    follow();
    return true;
  }
  drawDescent();
  return false;
}

function halt() {
  clearTimeout(running);
  running = 0;
  byId("run").textContent = "Run";
}

function descendOn() {
  if (running) return halt();
  byId("run").textContent = "Pause";
  const tick = () => {
    const before = losses.at(-1);
    const went = descend();
    const still = losses.at(-1) === before && trail.length > 2;
    if (!went || still) {
      if (went && still) verdict = "At rest: another step changes nothing.";
      halt();
      drawDescent();
    } else running = setTimeout(tick, 1000 / Number(byId("speed").value));
  };
  running = setTimeout(tick, 0);
}

function setRate(wanted, fromField) {
  rate = wanted;
  byId("rate").value = Math.log10(rate);
  byId("rate").setAttribute("aria-valuetext", "rate " + show(rate));
  if (!fromField) byId("ratefield").value = Number(rate.toPrecision(3));
  drawDescent();
}

function updates() {
  return ticked()
    .slice(0, 4)
    .map((i) => leaves[i].name + ": " + show(x[i]) + " − " + show(rate) + "·" + bracketed(o[leaves[i].g]) + " = " + show(x[i] - rate * o[leaves[i].g]));
}

function drawDescent() {
  if (!live) return;
  const written = updates();
  byId("updates").replaceChildren(...written.map((text) => make("li", {}, text)));
  if (ticked().length > 4) byId("updates").append(make("li", { class: "soft" }, "… and " + (ticked().length - 4) + " more"));
  byId("steps").textContent = "step " + (trail.length - 1);
  byId("verdict").textContent = verdict;
  drawLosses();
  drawContours();
}

function drawLosses() {
  const element = byId("losses");
  const high = 110;
  const wide = chart(element, high);
  const good = losses.filter(isNumber);
  if (!good.length) return;
  const logs = Math.min(...good) > 0 && Math.max(...good) > 1000 * Math.min(...good);
  const scaled = losses.map((v) => (logs ? Math.log10(v) : v));
  let [low, top] = [Math.min(...scaled.filter(isNumber)), Math.max(...scaled.filter(isNumber))];
  if (!logs && low > 0) low = 0;
  if (top === low) top = low + 1;
  const last = Math.max(10, losses.length - 1);
  const X = (k) => 8 + (k / last) * (wide - 16);
  const Y = (v) => high - 20 - ((v - low) / (top - low)) * (high - 34);
  draw(element, "path", { class: "axis", d: "M8 8V" + (high - 20) + "H" + (wide - 8) });
  label(element, 12, 12, show(logs ? 10 ** top : top) + (logs ? " (log scale)" : ""));
  label(element, 8, high - 6, "0");
  label(element, wide - 8, high - 6, "step " + last, "end");
  draw(element, "path", { class: "loss", d: poly(scaled.map((v, k) => [X(k), Y(v)])) });
  if (losses.length < 60) scaled.forEach((v, k) => isNumber(v) && draw(element, "circle", { class: "lossdot", cx: X(k).toFixed(1), cy: Y(v).toFixed(1), r: 2.5 }));
}

// Where the descent came along, on the curve of the leaf in hand.
function drawTrail(inner, X, Y) {
  if (!moves[hand] || leaves[hand].g === null) return;
  trail.slice(0, -1).forEach((at, k) => draw(inner, "circle", { class: "was", cx: clipped(X(at[hand])), cy: clipped(Y(losses[k])), r: 3 }));
  const next = x[hand] - rate * o[leaves[hand].g];
  if (isNumber(next)) draw(inner, "circle", { class: "next", cx: clipped(X(next)), cy: clipped(Y(result(hand, next))), r: 4 });
}

// Lines of equal result over the two leaves that move, by marching squares.
function drawContours() {
  const pair = ticked();
  const box = byId("contourbox");
  if (box.hidden !== (pair.length !== 2)) {
    box.hidden = !box.hidden;
    sizes.delete(byId("contours"));
  }
  if (box.hidden) return;
  const [i, j] = pair;
  const element = byId("contours");
  const high = 230;
  const wide = chart(element, high);
  const spanOf = (k) => {
    const seen = trail.map((at) => at[k]).filter(isNumber);
    const [a, b] = [Math.min(...seen, ranges[k][0] / 2 + ranges[k][1] / 2), Math.max(...seen, ranges[k][0] / 2 + ranges[k][1] / 2)];
    const room = Math.max((b - a) * 0.4, (ranges[k][1] - ranges[k][0]) / 4);
    return [a - room, b + room];
  };
  const [us, vs] = [spanOf(i), spanOf(j)];
  const n = 40;
  const at = x.slice();
  const grid = [];
  for (let b = 0; b <= n; b++) {
    for (let a = 0; a <= n; a++) {
      at[i] = us[0] + ((us[1] - us[0]) * a) / n;
      at[j] = vs[0] + ((vs[1] - vs[0]) * b) / n;
      grid.push(globalValue(at)[0]);
    }
  }
  const sorted = grid.filter(isNumber).sort((a, b) => a - b);
  const [X, Y] = frame(element, wide, high, us, vs, leaves[i].name + " →, " + leaves[j].name + " ↑");
  const shown = draw(element, "svg", { x: 8, y: 8, width: wide - 16, height: high - 28, viewBox: "8 8 " + (wide - 16) + " " + (high - 28) });
  for (let level = 1; level <= 9 && sorted.length; level++) {
    const value = sorted[Math.floor((sorted.length - 1) * (level / 10) ** 2)];
    const d = [];
    for (let b = 0; b < n; b++) {
      for (let a = 0; a < n; a++) {
        const corner = [[a, b], [a + 1, b], [a + 1, b + 1], [a, b + 1]];
        const worth = corner.map(([p, q]) => grid[q * (n + 1) + p]);
        if (!worth.every(isNumber)) continue;
        const cuts = [];
        for (let k = 0; k < 4; k++) {
          const [s, t] = [worth[k], worth[(k + 1) % 4]];
          if (s < value !== t < value) {
            const part = (value - s) / (t - s);
            const [p, q] = [0, 1].map((c) => corner[k][c] + part * (corner[(k + 1) % 4][c] - corner[k][c]));
            cuts.push([X(us[0] + ((us[1] - us[0]) * p) / n), Y(vs[0] + ((vs[1] - vs[0]) * q) / n)]);
          }
        }
        for (let k = 0; k + 1 < cuts.length; k += 2) d.push("M" + cuts[k].map((c) => c.toFixed(1)).join(" ") + "L" + cuts[k + 1].map((c) => c.toFixed(1)).join(" "));
      }
    }
    draw(shown, "path", { class: "contour", d: d.join(""), "stroke-opacity": 1 - level * 0.08 });
  }
  draw(shown, "path", { class: "loss", d: poly(trail.map((each) => [X(each[i]), Y(each[j])])) });
  if (trail.length < 100) for (const each of trail) draw(shown, "circle", { class: "lossdot", cx: clipped(X(each[i])), cy: clipped(Y(each[j])), r: 2.5 });
  draw(shown, "circle", { class: "point", cx: clipped(X(x[i])), cy: clipped(Y(x[j])), r: 6 });
}

function makeTicks() {
  leaves.forEach((leaf, i) => {
    const tick = make("input", { type: "checkbox", "aria-label": leaf.name + " moves in a descent", title: "moves in a descent" });
    tick.checked = moves[i];
    tick.disabled = leaf.g === null;
    tick.onchange = () => {
      moves[i] = tick.checked;
      beginAgain();
      redraw();
    };
    fields[i].row.prepend(tick);
  });
}

function reset() {
  halt();
  x = start.map(unpack);
  start.forEach((each, i) => (ranges[i] = around(unpack(each))));
  o = run(x);
  beginAgain();
  follow();
}

function pullAll() {
  byId("descend").onclick = () => {
    halt();
    descend();
  };
  byId("run").onclick = descendOn;
  byId("reset").onclick = reset;
  byId("rate").oninput = () => setRate(Number((10 ** Number(byId("rate").value)).toPrecision(2)));
  byId("ratefield").oninput = () => Number(byId("ratefield").value) > 0 && setRate(Number(byId("ratefield").value), true);
  byId("h").oninput = drawCurve;
}

// -- and begin --------------------------------------------------------------------------------------------------------

for (const element of document.querySelectorAll("[hidden].scripted-only")) element.hidden = false;
document.documentElement.classList.add("scripted");
byId("side").hidden = !live;
if (live) {
  makeLeaves();
  makeTicks();
  pullAll();
}
arrange();
findSlots();
if (data.slots.length <= 60) {
  for (const picture of stage.children) {
    for (const slot of data.slots.filter((each) => each.row === undefined)) {
      const group = picture.querySelector("[id$='-" + slot.id + "']");
      for (const [name, value] of Object.entries({ tabindex: 0, role: "button", "aria-label": "Paths from " + slot.name })) group?.setAttribute(name, value);
    }
  }
}
open();
if (live) {
  beginAgain();
  setRate(0.01);
  redraw();
} else checkGuards();
if (steps.length) readAddress(location.hash);
opened = true;
