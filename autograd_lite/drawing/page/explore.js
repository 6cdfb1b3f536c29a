// Leaves to pull, the curve of the result over the one in hand, and the paths of a card that was chosen.
const leaves = data.leaves;
let hand = max(0, leaves.findIndex((leaf) => leaf.parameter)); // the leaf in hand
let chosen = null; // the card or row whose paths are listed
const moves = leaves.map((leaf) => leaf.parameter); // which take part in a descent
const ranges = start.map((each) => around(unpack(each)));
const fields = [];
const reached = (i) => view.g[i] !== null && flows({ n: view.n[i] });
const total = (i) => (reached(i) ? o[view.g[i]] : 0);
const slope = (i) => view.over + leaves[i].name;

function around(value) {
  const reach = isNumber(value) ? nice(max(2 * abs(value), 4)) : 4;
  return isNumber(value) ? [tame(value - reach), tame(value + reach)] : [-reach, reach];
}

function makeLeaves() {
  const list = byId("leaves");
  leaves.forEach((leaf, i) => {
    const name = make("span", { class: leaf.parameter ? "name own" : "name", title: leaf.full ?? leaf.name }, leaf.name);
    const slider = make("input", { type: "range", step: "any", "aria-label": "Slide " + leaf.name });
    const field = make("input", { type: "number", step: "any", "aria-label": "Value of " + leaf.name });
    const gradient = make("output", { "aria-label": slope(i), title: slope(i) });
    const of = make("span", { class: "of" }, slope(i) + " =");
    const row = make("div", { class: "leaf" }, name, slider, field, of, gradient);
    slider.oninput = () => {
      const [low, high] = ranges[i];
      const unit = 10 ** Math.floor(Math.log10((high - low) / 200));
      pull(i, Number((Math.round(Number(slider.value) / unit) * unit).toPrecision(12)));
    };
    field.oninput = () => field.value !== "" && isNumber(Number(field.value)) && pull(i, Number(field.value), true);
    field.onchange = () => {
      field.known = null; // what was typed may be no number
      showLeaf(i);
    };
    row.onpointerdown = () => take(i);
    row.addEventListener("focusin", () => take(i));
    fields.push({ row, slider, field, of, gradient });
    list.append(row);
  });
  list.classList.toggle("many", leaves.length > 40);
  list.classList.toggle("long", leaves.some((leaf, i) => leaf.name.length + slope(i).length > 10));
  list.classList.toggle("longer", leaves.some((leaf) => leaf.name.length > 10));
  if (leaves.length > 12) {
    const filter = make("input", { type: "search", placeholder: "Find a leaf", "aria-label": "Find a leaf by name" });
    filter.oninput = () => leaves.forEach((leaf, i) => (fields[i].row.hidden = !(leaf.full ?? leaf.name).toLowerCase().includes(filter.value.toLowerCase())));
    list.before(filter);
  }
}

function take(i) {
  if (hand === i) return;
  hand = i;
  redraw();
}

// Leaf i gets a number; everything follows.
function pull(i, value, typing) {
  hand = i;
  x[i] = value;
  o = run(x);
  beginAgain();
  follow(typing);
}

function follow(typing) {
  paint();
  if (now < end) mark();
  else if (steps.length) byId("line").textContent = say(view.end);
  redraw(typing);
}

const showLeaves = (typing) => leaves.forEach((_, i) => showLeaf(i, typing));

function showLeaf(i, typing) {
  const { slider, field, gradient, row } = fields[i];
  let [low, high] = ranges[i];
  if (isNumber(x[i]) && (x[i] < low || x[i] > high)) [low, high] = ranges[i] = around(x[i]);
  if (changed(slider, "range", ranges[i])) [slider.min, slider.max] = [low, high];
  if (slider.valueAsNumber !== x[i]) slider.value = x[i];
  if (changed(slider, "number", x[i])) slider.setAttribute("aria-valuetext", leaves[i].name + " = " + show(x[i]));
  if (!(typing && document.activeElement === field) && changed(field, "number", x[i])) field.value = isNumber(x[i]) ? Number(x[i].toPrecision(6)) : "";
  const g = reached(i) ? o[view.g[i]] : "none";
  if (changed(gradient, "number", g)) write(gradient, g === "none" ? g : show(g));
  if (changed(row, "on", i === hand)) row.classList.toggle("on", i === hand);
}

const result = (i, value) => {
  const at = x.slice();
  at[i] = value;
  return globalValue(at)[view.which];
};
const globalValue = live ? value : null;

function redraw(typing) {
  if (!live) return;
  showLeaves(typing);
  drawCurve();
  drawDescent();
  if (chosen) listPaths();
  checkGuards();
}

// The slopes of the result by leaf i a hair to its left and right.
function sides(i, part = 1) {
  const at = x[i];
  const hair = part * max(abs(at) * 2 ** -40, 2 ** -80);
  return [-1, 1].map((way) => {
    const there = x.slice();
    there[i] = at + way * hair;
    const g = view.g[i];
    return g === null ? 0 : run(there)[g];
  });
}

const step = () => Number((10 ** Number(byId("h").value)).toPrecision(2));

function drawCurve() {
  const element = byId("curve");
  const name = leaves[hand].name;
  byId("over").textContent = name;
  const [left, right] = ranges[hand];
  const y0 = o[view.result];
  const m = total(hand);
  const count = leaves.length > 100 ? 60 : 240;
  const points = [];
  for (let k = 0; k <= count; k++) {
    const u = left + ((right - left) * k) / count;
    points.push([u, result(hand, u)]);
  }
  const high = 230;
  const wide = chart(element, high);
  const near = points.filter(([u, v]) => isNumber(v) && abs(u - x[hand]) < (right - left) / 3).map(([, v]) => v);
  const all = (isNumber(y0) ? [...near, y0] : near).map(tame);
  let [low, top] = all.length ? [min(...all), max(...all)] : [-1, 1];
  const pad = (top - low) * 0.08 || max(abs(low) * 0.1, 1);
  [low, top] = [low - pad, top + pad];
  const [X, Y] = frame(element, wide, high, [left, right], [low, top], name);
  const inner = inset(element, wide, high);
  draw(inner, "path", { class: "graph", d: poly(points.map(([u, v]) => [X(u), Y(v)])) });
  const tangent = (g, kind, from = left, to = right) =>
    isNumber(g) && isNumber(y0) && draw(inner, "path", { class: kind, d: poly([from, to].map((u) => [X(u), Y(y0 + g * (u - x[hand]))])) });
  const [before, after] = sides(hand);
  let kink = isNumber(before) && isNumber(after) && apart(before, after, 0);
  if (kink) { // not so where the slopes come together: a smooth curve at its lowest
    const [left2, right2] = sides(hand, 1 / 64);
    kink = abs(right2 - left2) > abs(after - before) / 2;
  }
  if (kink) {
    tangent(before, "side", left, x[hand]);
    tangent(after, "side", x[hand], right);
  }
  tangent(m, "tangent " + sign(m));
  const h = step();
  const ahead = result(hand, x[hand] + h);
  const q = (ahead - y0) / h;
  tangent(q, "secant");
  if (isNumber(ahead)) draw(inner, "circle", { class: "ahead", cx: clipped(X(x[hand] + h)), cy: clipped(Y(ahead)), r: 4.5 });
  drawTrail(inner, X, Y);
  if (isNumber(y0)) draw(inner, "circle", { class: "point", cx: clipped(X(x[hand])), cy: clipped(Y(y0)), r: 6 });
  const taken = reached(hand) ? show(m) : "none"; // as on the card
  const lost = (2.3e-16 * max(abs(y0), abs(ahead))) / h;
  byId("hv").textContent = show(h, 2);
  const f = view.name;
  byId("secant").textContent = "(" + f + "(" + name + " + h) − " + f + "(" + name + ")) / h = " + show(q) + " → " + taken;
  const rounding = x[hand] + h === x[hand] ? "h is lost: " + name + " + h rounds to " + name + ". " : lost > 1e-9 * max(1, abs(m)) && abs(q - m) <= 4 * lost ? "What is left of the difference is rounding. " : "";
  const nudge = isNumber(x[hand]) ? nice(max(0.1, abs(x[hand]) / 100)) : 0.1;
  const really = result(hand, x[hand] + nudge) - y0;
  byId("really").textContent = kink
    ? "Kink: the slope is " + show(before) + " from the left and " + show(after) + " from the right; " + taken + " is taken."
    : !reached(hand) ? "No gradient of " + f + " reaches " + name + "."
    : !isNumber(y0) ? f + " has no value here."
    : !isNumber(m) ? "The slope is " + show(m) + " here."
    : rounding + "Raising " + name + " by " + show(nudge) + " changes " + f + " by about " + show(m * nudge) + "; really by " + show(really) + ".";
}

// -- paths ------------------------------------------------------------------------------------------------------------

const LISTED = 8;

function choose(id) {
  chosen = chosen === id ? null : id;
  byId("paths").hidden = !chosen;
  if (chosen) listPaths();
  else light([]);
}

// The ways from a card to the result, no more than some, and how many there are.  Through a loop there is one for each iteration in
// which the card acts; it ends where that iteration does, with what comes back from the iterations after it.
function pathsFrom(card) {
  const slotOf = [];
  for (const slot of view.slots) if (slot.row === undefined) slotOf[slot.card] = slot;
  const ends = view.steps.filter((each) => each.back);
  const inIteration = (each, iteration) => (each?.iterations ? { ...each, ...each.iterations[iteration] } : (each ?? {}));
  const named = ([at, iteration]) => inIteration(slotOf[at], iteration).name;
  const ending = ([at, iteration]) => inIteration(ends.find((each) => each.card === at), iteration);
  const onward = ([at, iteration]) => {
    const on = [];
    view.edges.forEach((edge, j) => {
      if (edge.s !== at) return;
      const { loop, iterations: every } = slotOf[edge.t];
      const enters = every && loop !== slotOf[at].loop;
      for (const to of enters ? [...every.keys()].reverse() : [iteration]) {
        const each = inIteration(edge, to);
        const begins = enters && edge.silent && every[to].v === slotOf[at].v;
        if (begins || (each.c !== null && flows(each))) on.push([j, [edge.t, to], begins ? 1 : o[each.f]]);
      }
    });
    return on;
  };
  const counts = new Map();
  const many = (place) => {
    const key = place.join();
    if (!counts.has(key)) counts.set(key, place[0] === view.root ? 1 : onward(place).reduce((n, [, to]) => n + many(to), ending(place).back ? 1 : 0));
    return counts.get(key);
  };
  const found = [];
  const walk = (place, way, names, factors) => {
    if (found.length > LISTED || !many(place)) return;
    if (place[0] === view.root) return found.push([way, names, factors]);
    const { back, after } = ending(place);
    if (back) found.push([way, [...names, "… → " + view.name], [...factors, o[after]]]);
    for (const [j, to, factor] of onward(place)) walk(to, [...way, j], [...names, named(to)], [...factors, factor]);
  };
  const begin = [card, iterations[slotOf[card].loop]];
  walk(begin, [], [named(begin)], []);
  return [found, many(begin)];
}

function light(edges) {
  const cards = new Set(edges.flatMap((j) => [lines[j].s, lines[j].t]));
  stage.classList.toggle("lit", edges.length > 0);
  for (const element of stage.querySelectorAll(".on")) element.classList.remove("on");
  for (const j of edges) for (const name of ["e", "l"]) part(name + j)?.classList.add("on");
  for (const i of cards) part("n" + i)?.classList.add("on");
}

function listPaths() {
  const slot = slots.get(chosen);
  const list = byId("products");
  list.replaceChildren();
  const [ways, many] = pathsFrom(slot.card);
  light(ways.flatMap(([way]) => way));
  part("n" + slot.card)?.classList.add("on");
  byId("chosen").textContent = slot.label || slot.name;
  const products = ways.slice(0, LISTED).map(([, names, factors]) => {
    if (slot.f !== undefined) [names, factors] = [[slot.name, ...names], [o[slot.f], ...factors]];
    const product = factors.reduce((a, b) => a * b, 1);
    const text = (factors.length ? factors : [1]).map((f, k) => (k ? bracketed(f) : show(f))).join(" × ") + (factors.length > 1 ? " = " + show(product) : "");
    list.append(make("li", {}, make("span", { class: "soft" }, names.join(" → ")), " ", text));
    return product;
  });
  const told = many > LISTED ? many + " paths, the first " + LISTED + " are listed; together " : many > 1 ? products.map((p, k) => (k ? written(p, "a") : show(p))).join("") + " = " : "";
  const g = o[slot.g];
  const whole = many > LISTED || !isNumber(g) || abs(products.reduce((a, b) => a + b, 0) - g) <= 1e-6 * abs(g);
  const more = whole ? "" : ", with what comes back elsewhere in the loop";
  byId("sum").textContent = slot.g === null || !flows(slot) ? "No gradient reaches it." : many ? told + show(g) + more : "No path leads from here to " + view.name + ".";
}

stage.addEventListener("click", (event) => {
  if (moved > 4) return;
  const group = event.target.closest?.("g[id]");
  const name = group?.id.slice(view.prefix.length + 1);
  if (slots.has(name)) choose(name);
  else if (chosen) choose(chosen);
});
stage.addEventListener("keydown", (event) => {
  const name = event.target.id?.slice(view.prefix.length + 1);
  if (event.key === "Enter" && slots.has(name)) choose(name);
  if (event.key === "Escape" && chosen) choose(chosen);
});

function checkGuards() {
  const flipped = (data.guards ?? []).filter((guard) => (o[guard.o] !== 0) !== guard.wanted);
  const note = byId("note");
  note.hidden = !flipped.length && !data.note;
  const text = flipped.length
    ? "At " + flipped[0].line + " the code would now go another way (" + flipped[0].text + " was " + (flipped[0].wanted ? "true" : "false") + "): the picture still shows the way it took."
    : (data.note ?? "");
  if (note.textContent !== text) note.textContent = text;
  note.classList.toggle("alarm", flipped.length > 0);
}
