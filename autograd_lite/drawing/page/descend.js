// Gradient descent by hand or by itself: every leaf that is ticked moves against its slope, times the rate.
let trail = []; // the leaves at each step so far, the present one last
let losses = [];
let running = 0;
let verdict = "";
let rate = 0.01;

const ticked = () => leaves.map((_, i) => i).filter((i) => moves[i] && view.g[i] !== null);
const moving = () => ticked().filter(reached); // what does not flow to them leaves them where they are

function beginAgain() {
  trail = [x.slice()];
  losses = [o[view.result]];
  verdict = "";
}

// One step; false where it would leave the numbers, which is said and not done.
function descend() {
  const next = x.slice();
  for (const i of moving()) next[i] = x[i] - rate * total(i);
  const value = globalValue(next)[view.which];
  const first = abs(losses[0]);
  const lost = [o[view.result], ...moving().map(total)].find((each) => !isNumber(each));
  if (!moving().length) verdict = "Tick a leaf that a gradient reaches.";
  else if (lost !== undefined) verdict = (isNumber(o[view.result]) ? "A slope is " : view.name + " is ") + show(lost) + " here: there is no way down from it.";
  else if (!isNumber(value) || next.some((each) => !isNumber(each)) || abs(value) > 1e12 * max(first, 1)) {
    const how = value < o[view.result] ? view.name + " falls without end on this way: it has no lowest value there." : "with the rate " + show(rate) + " the steps overshoot further each time. Lower the rate and press Reset.";
    verdict = "Step " + trail.length + " would take " + view.name + " to " + show(value) + ": " + how;
  } else {
    x = next;
    trail.push(x.slice());
    o = run(x);
    losses.push(o[view.result]);
    verdict = losses.length > 3 && losses.at(-1) > losses.at(-2) && losses.at(-2) > losses.at(-3) ? view.name + " grows from step to step: the rate " + show(rate) + " is too large here." : "";
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
  return moving()
    .slice(0, 4)
    .map((i) => leaves[i].name + ": " + show(x[i]) + " − " + show(rate) + "·" + bracketed(total(i)) + " = " + show(x[i] - rate * total(i)));
}

function drawDescent() {
  if (!live) return;
  const written = updates();
  byId("updates").replaceChildren(...written.map((text) => make("li", {}, text)));
  if (moving().length > 4) byId("updates").append(make("li", { class: "soft" }, "… and " + (moving().length - 4) + " more"));
  byId("steps").textContent = "step " + (trail.length - 1);
  byId("verdict").textContent = verdict;
  drawLosses();
  drawContours();
}

function drawLosses() {
  const element = byId("losses");
  const [X, Y] = lossLine(element, losses, max(10, losses.length - 1));
  if (!X) return;
  draw(element, "path", { class: "loss", d: poly(losses.map((v, k) => [X(k), Y(v)])) });
  if (losses.length < 60) losses.forEach((v, k) => isNumber(v) && draw(element, "circle", { class: "lossdot", cx: X(k).toFixed(1), cy: Y(v).toFixed(1), r: 2.5 }));
}

// Where the descent came along, on the curve of the leaf in hand.
function drawTrail(inner, X, Y) {
  if (!moves[hand] || view.g[hand] === null) return;
  trail.slice(0, -1).forEach((at, k) => isNumber(losses[k]) && draw(inner, "circle", { class: "was", cx: clipped(X(at[hand])), cy: clipped(Y(losses[k])), r: 3 }));
  const next = x[hand] - rate * total(hand);
  const there = result(hand, next);
  if (isNumber(next) && isNumber(there)) draw(inner, "circle", { class: "next", cx: clipped(X(next)), cy: clipped(Y(there)), r: 4 });
}

// Lines of equal result over the two leaves that move.
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
    const seen = trail.map((at) => tame(at[k])).filter(isNumber);
    const [a, b] = [min(...seen, ranges[k][0] / 2 + ranges[k][1] / 2), max(...seen, ranges[k][0] / 2 + ranges[k][1] / 2)];
    const room = max((b - a) * 0.4, (ranges[k][1] - ranges[k][0]) / 4);
    return [a - room, b + room];
  };
  const [us, vs] = [spanOf(i), spanOf(j)];
  const at = x.slice();
  const grid = gridOf(us, vs, (u, v) => {
    at[i] = u;
    at[j] = v;
    return globalValue(at)[view.which];
  }, view.slots.length > 60 ? 40 : 80);
  const [X, Y] = frame(element, wide, high, us, vs, leaves[i].name + " →, " + leaves[j].name + " ↑");
  const shown = inset(element, wide, high);
  contours(shown, X, Y, us, vs, grid);
  draw(shown, "path", { class: "loss", d: poly(trail.map((each) => [X(each[i]), Y(each[j])])) });
  if (trail.length < 100) for (const each of trail) draw(shown, "circle", { class: "lossdot", cx: clipped(X(each[i])), cy: clipped(Y(each[j])), r: 2.5 });
  draw(shown, "circle", { class: "point", cx: clipped(X(x[i])), cy: clipped(Y(x[j])), r: 6 });
}

function makeTicks() {
  const said = "moves in a descent";
  leaves.forEach((leaf, i) => {
    const tick = make("input", { type: "checkbox", title: said, "aria-label": leaf.name + " " + said });
    tick.checked = moves[i];
    tick.disabled = data.views.every((each) => each.g[i] === null);
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
for (const each of data.views) {
  for (const slot of each.slots.length <= 60 ? each.slots.filter((one) => one.row === undefined) : []) {
    const group = byId(each.prefix + "-n" + slot.card);
    for (const [name, value] of Object.entries({ tabindex: 0, role: "button", "aria-label": "Paths from " + slot.name })) group?.setAttribute(name, value);
  }
}
if (data.views.length > 1 || view.loops.some((loop) => loop.titles)) makeChoice();
open();
if (live) {
  beginAgain();
  setRate(0.01);
  redraw();
} else checkGuards();
if (steps.length) readAddress(location.hash);
opened = true;
