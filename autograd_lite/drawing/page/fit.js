// The page of a fit: a slider over the steps of the run, weights to pull, rows and curve, the loss, the contours and the way.
const way = data.way.map(([step, weights]) => ({ step, weights: weights.map(unpack) }));
const losses = data.losses.map(([step, loss]) => [step, unpack(loss)]);
const rows = (data.rows ?? []).map((row) => row.map(unpack));
const working = typeof rowOf === "function";
const [LOSS, PREDICTED, TRUTH] = [0, 1, 2]; // what rowOf gives
const predicting = working && data.target !== "";
const end = way.length - 1;
let now = end;
let weights = way[end].weights.slice();
let byHand = false;
const fields = [];
const ranges = weights.map((_, i) => reach(way.map((at) => at.weights[i])));

function reach(numbers) {
  const good = numbers.filter(isNumber);
  const [low, high] = good.length ? [min(...good), max(...good)] : [-1, 1];
  const room = max((high - low) * 0.4, abs(high) * 0.25, 1e-9) || 1;
  return [low - room, high + room];
}

const every = (at) => rows.map((row) => rowOf([...at, ...row]));
const mean = (at, step = 1) => {
  let [total, count] = [0, 0];
  for (let k = 0; k < rows.length; k += step, count++) total += rowOf([...at, ...rows[k]])[LOSS];
  return total / count;
};

function span(numbers, share = 0.06) {
  const good = numbers.filter(isNumber);
  const [low, high] = good.length ? [min(...good), max(...good)] : [0, 1];
  const room = (high - low) * share || max(abs(high) * 0.1, 1);
  return [low > 0 ? max(0, low - room) : low - room, high + room];
}

function dots(inner, points, X, Y) {
  for (const [u, v] of points) if (isNumber(u) && isNumber(v)) draw(inner, "circle", { class: "row", cx: clipped(X(u)), cy: clipped(Y(v)), r: points.length > 300 ? 2 : 4 });
}

const HIGH = 300;
let held = null; // the range of the target, the same at all steps

// That of the rows and of the curve in the end.
function shownRange() {
  held ??= span(last.flatMap((row) => [row[TRUTH], row[PREDICTED]]));
  return held;
}

function drawRows() {
  if (!predicting) return;
  const worth = every(weights);
  const element = byId("rows");
  const wide = chart(element, HIGH);
  if (data.columns.length === 1) {
    const [c] = data.columns;
    const [left, right] = span(rows.map((row) => row[c]));
    const high = shownRange();
    const [X, Y] = frame(element, wide, HIGH, [left, right], high, data.features[0]);
    const inner = inset(element, wide, HIGH);
    const points = rows.map((row, k) => [row[c], worth[k][TRUTH]]);
    if (rows.length <= 300) {
      const d = points.map(([u, v], k) => [[u, v], [u, worth[k][PREDICTED]]]).filter((pair) => pair.flat().every(isNumber));
      draw(inner, "path", { class: "miss", d: d.map((pair) => poly(pair.map(([u, v]) => [X(u), Y(v)]))).join("") });
    }
    const curve = [];
    const row = rows[0].slice();
    for (let k = 0; k <= 200; k++) {
      row[c] = left + ((right - left) * k) / 200;
      curve.push([X(row[c]), Y(rowOf([...weights, ...row])[PREDICTED])]);
    }
    dots(inner, points, X, Y);
    draw(inner, "path", { class: "fitted", d: poly(curve) });
    byId("datahead").textContent = data.target + " over " + data.features[0];
    return;
  }
  const [low, high] = span([...worth.map((row) => row[TRUTH]), ...last.map((row) => row[PREDICTED])]);
  const [X, Y] = frame(element, wide, HIGH, [low, high], [low, high], data.target + " →, predicted ↑");
  const inner = inset(element, wide, HIGH);
  draw(inner, "path", { class: "fitted", d: poly([[X(low), Y(low)], [X(high), Y(high)]]) });
  dots(inner, worth.map((row) => [row[TRUTH], row[PREDICTED]]), X, Y);
  byId("datahead").textContent = "Predicted against true " + data.target;
  const box = byId("misses");
  const broad = chart(box, 200);
  const off = worth.map((row) => row[TRUTH] - row[PREDICTED]);
  const most = max(...last.map((row) => abs(row[TRUTH] - row[PREDICTED])).filter(isNumber), 1e-300) * 1.15;
  const [U, V] = frame(box, broad, 200, [low, high], [-most, most], "predicted " + data.target);
  const inside = inset(box, broad, 200);
  draw(inside, "path", { class: "fitted", d: poly([[U(low), V(0)], [U(high), V(0)]]) });
  dots(inside, worth.map((row, k) => [row[PREDICTED], off[k]]), U, V);
  byId("misshead").textContent = "Residuals, " + data.target + " − predicted";
}

function drawLoss() {
  if (losses.length < 2) return;
  const element = byId("losses");
  const [X, Y] = lossLine(element, losses.map(([, v]) => v), losses.at(-1)[0] || 1, 200);
  if (!X) return;
  draw(element, "path", { class: "loss", d: poly(losses.map(([k, v]) => [X(k), Y(v)])) });
  if (losses.length < 60) for (const [k, v] of losses) if (isNumber(v)) draw(element, "circle", { class: "lossdot", cx: clipped(X(k)), cy: clipped(Y(v)), r: 2.5 });
  const v = lossNow();
  if (!byHand && isNumber(v)) draw(element, "circle", { class: "point", cx: clipped(X(way[now].step)), cy: clipped(Y(v)), r: 6 });
}

// The loss at the weights as they are: the run's own, or where they were pulled, the mean over the rows of the page.
function lossNow() {
  if (byHand) return working ? mean(weights) : NaN;
  const { step } = way[now];
  return (losses.find(([k]) => k === step) ?? losses.reduce((a, b) => (abs(b[0] - step) < abs(a[0] - step) ? b : a)))[1];
}

const moving = weights.map((_, i) => i).filter((i) => weights.length === 2 || way.some((at) => at.weights[i] !== way[0].weights[i]));
let grid = null;

function drawWay() {
  if (moving.length !== 2 || !working) return;
  const [i, j] = moving;
  const element = byId("contours");
  const wide = chart(element, HIGH);
  const [us, vs] = [ranges[i], ranges[j]];
  const apart = Math.ceil(rows.length / 400);
  const at = way[end].weights.slice();
  grid ??= gridOf(us, vs, (u, v) => {
    at[i] = u;
    at[j] = v;
    return mean(at, apart);
  }, rows.length > 100 ? 60 : 120);
  const [X, Y] = frame(element, wide, HIGH, us, vs, data.names[i] + " →, " + data.names[j] + " ↑");
  const inner = inset(element, wide, HIGH);
  contours(inner, X, Y, us, vs, grid);
  const points = way.map(({ weights }) => [X(weights[i]), Y(weights[j])]);
  draw(inner, "path", { class: "loss ahead", d: poly(points) });
  draw(inner, "path", { class: "loss", d: poly(points.slice(0, now + 1)) });
  if (way.length < 100) for (const [u, v] of points) if (isNumber(u) && isNumber(v)) draw(inner, "circle", { class: "lossdot", cx: clipped(u), cy: clipped(v), r: 2.5 });
  if (isNumber(weights[i]) && isNumber(weights[j])) draw(inner, "circle", { class: "point", cx: clipped(X(weights[i])), cy: clipped(Y(weights[j])), r: 6 });
  byId("contourhead").textContent = "Lines of equal loss, and the way of the run";
}

function showWeights(typing) {
  fields.forEach(({ slider, field, error }, i) => {
    const [low, high] = ranges[i];
    if (isNumber(weights[i]) && (weights[i] < low || weights[i] > high)) ranges[i] = reach([weights[i]]);
    [slider.min, slider.max] = ranges[i];
    slider.value = weights[i];
    slider.setAttribute("aria-valuetext", data.names[i] + " = " + show(weights[i]));
    if (!(typing && document.activeElement === field)) field.value = isNumber(weights[i]) ? Number(weights[i].toPrecision(6)) : "";
    const spread = unpack(data.errors[i]);
    error.textContent = !byHand && now === end && isNumber(spread) ? "± " + show(spread, 3) : "";
  });
}

function paint(typing) {
  showWeights(typing);
  const listed = data.names.slice(0, 6).map((name, i) => name + " = " + show(weights[i])).join(", ") + (data.names.length > 6 ? ", …" : "");
  const where = byHand ? "by hand" : "step " + way[now].step + " of " + way[end].step;
  byId("line").textContent = where + ": " + listed + "; loss = " + show(lossNow());
  markSteps(byHand ? "by hand" : way[now].step + " / " + way[end].step, where);
  drawRows();
  drawLoss();
  drawWay();
}

function jump(k) {
  now = clamp(0, k, end);
  byHand = false;
  weights = way[now].weights.slice();
  paint();
}

const remember = () => {};

function pull(i, value, typing) {
  pause();
  weights[i] = value;
  byHand = true;
  paint(typing);
}

function makeWeights() {
  data.names.forEach((name, i) => {
    const slider = make("input", { type: "range", step: "any", "aria-label": "Slide " + name });
    const field = make("input", { type: "number", step: "any", "aria-label": "Value of " + name });
    const error = make("output", { "aria-label": "Standard error of " + name });
    slider.oninput = () => pull(i, Number(Number(slider.value).toPrecision(4)));
    field.oninput = () => field.value !== "" && isNumber(Number(field.value)) && pull(i, Number(field.value), true);
    field.onchange = () => showWeights();
    byId("leaves").append(make("div", { class: "leaf" }, make("span", { class: "name own", title: name }, name), slider, field, error));
    fields.push({ slider, field, error });
  });
  if (data.more) byId("leaves").append(make("p", { class: "soft" }, "… and " + data.more + " more"));
}

document.addEventListener("keydown", (event) => {
  const action = stepKeys[event.key];
  if (!action || isOther(event) || (event.target.id === "slider" && event.key !== " ")) return;
  event.preventDefault();
  action();
});

for (const element of document.querySelectorAll("[hidden].scripted-only")) element.hidden = false;
const last = predicting ? every(way[end].weights) : [];
byId("databox").hidden = !predicting;
byId("missbox").hidden = !predicting || data.columns.length === 1;
byId("lossbox").hidden = losses.length < 2;
byId("contourbox").hidden = moving.length !== 2 || !working;
bindSteps();
addEventListener("resize", () => {
  sizes.clear();
  paint();
});
makeWeights();
paint();
