// The numbers on the picture, and the steps: first the values in the order they are computed, then one product at a time back.
const signs = ["pos", "neg", "zero", "bad"];
let steps = []; // of the picture that shows
let end = view.steps.length + 1; // after the last step: the finished picture, nothing highlighted
let forward = 0; // steps of them that compute values
let slots = new Map(); // the cards and rows of the picture that shows, by the end of their id
let lines = []; // and its edges
let now = end;
let writing = 0;

const slotName = (step) => "n" + step.card + (step.row == null ? "" : "-r" + step.row);

function findSlots() {
  slots = new Map();
  steps = view.steps.map(resolved);
  end = steps.length + 1;
  forward = steps.filter((step) => step.forward).length;
  const own = (group, kind) => {
    const name = view.prefix + "-" + kind;
    return group && [...group.children].find((element) => element.classList.contains(name));
  };
  for (const slot of view.slots.map(resolved)) {
    const id = slotName(slot);
    const group = part(id);
    if (slot.iterations) write(own(group, "head"), slot.name);
    slots.set(id, { ...slot, group, value: own(group, "value"), text: own(group, "grad"), band: own(group, "band"), kink: own(group, "kink") });
  }
  lines = view.edges.map(resolved).map((edge, j) => {
    const group = part("e" + j);
    const label = part("l" + j);
    return { ...edge, group, label, line: own(group, "line"), text: label?.querySelector("text"), pill: label?.querySelector("rect") };
  });
}

// Whether something is other than it was when an element was last written: asking the page itself would take longer.
function changed(element, what, value) {
  if (!element) return false;
  const known = (element.known ??= {});
  return known[what] !== value && ((known[what] = value), true);
}

function write(element, text, room) {
  if (!changed(element, "text", text)) return;
  if (element.firstChild) element.firstChild.nodeValue = text;
  else element.textContent = text;
  const over = text.length > room;
  if (!changed(element, "over", over && text.length)) return;
  if (over) {
    element.setAttribute("textLength", Math.floor(room * 7.2)); // squeezed rather than over the border
    element.setAttribute("lengthAdjust", "spacingAndGlyphs");
  } else element.removeAttribute("textLength");
}

// A number, or a word for none, written where it is another than before.
function number(element, value) {
  if (changed(element, "number", value)) write(element, typeof value === "number" ? show(value) : value, data.room);
}

function tint(element, name) {
  if (changed(element, "tint", name)) for (const each of signs) element.classList.toggle(view.prefix + "-" + each, each === name);
}

function put(element, name, value) {
  if (changed(element, name, value)) element.setAttribute(name, value);
}

// What is known after the steps so far, built anew whatever was shown before, so that any jump is exact.
function known() {
  const totals = new Map();
  const values = new Set();
  for (const step of now === end ? [] : steps.slice(0, now)) {
    if (step.forward) values.add(slotName(step));
    else totals.set(slotName(step), flows(step) ? o[step.after] : "none");
  }
  return { totals, values };
}

function paint() {
  const done = now === end;
  const { totals, values } = known();
  const strongest = largest([...slots.values()].map((slot) => o[slot.g]));
  for (const [id, slot] of slots) {
    const shown = done || slot.leaf || values.has(slot.of === undefined ? id : "n" + slot.of) || now >= forward;
    if (slot.v !== null) number(slot.value, shown ? o[slot.v] : "·");
    const g = done ? (slot.g === null || !flows(slot) ? undefined : o[slot.g]) : totals.get(id);
    const unreached = done && slot.text;
    number(slot.text, g ?? (unreached ? "none" : "·"));
    const there = typeof g === "number";
    tint(slot.text, there ? sign(g) : "");
    tint(slot.band, there ? sign(g) : "zero");
    put(slot.band, "fill-opacity", there ? Math.round(100 * strength(g, strongest)) / 100 : 0);
    if (slot.kink) markKink(slot);
  }
  const most = largest(lines.map((line) => (line.c === null ? 0 : o[line.c])));
  for (const line of lines) {
    if (line.c === null) continue;
    const there = flows(line);
    const c = there ? o[line.c] : 0;
    tint(line.group, sign(c));
    const weight = (0.5 + 5 * strength(c, most)) * view.thin;
    put(line.line, "stroke-width", max(weight, 0.6).toFixed(1));
    if (line.text) {
      const f = o[line.f];
      write(line.text, !there ? "no flow" : f !== f ? "× nan" + domainNote(line) : line.symbol ? line.symbol + show(f) : "× " + bracketed(f));
      const wide = line.text.textContent.length * 6.75 + 8;
      put(line.pill, "width", wide.toFixed(1));
      line.pill.setAttribute("x", (Number(line.text.getAttribute("x")) - wide / 2).toFixed(1));
    }
  }
  write(byId("result"), show(o[view.result]));
}

// Why a factor is nan, where the op itself says it.
function domainNote(line) {
  const out = ([v, low, high, open]) => (open ? !(unpack(low) < o[v] && o[v] < unpack(high)) : !(unpack(low) <= o[v] && o[v] <= unpack(high)));
  return o[line.value] !== o[line.value] && line.domain.some((each) => o[each[0]] === o[each[0]] && out(each)) ? " (outside the domain)" : "";
}

// Whether two slopes of an op differ by more than a hair makes of a smooth one that passes through 0.
const apart = (a, b, least = 1e-3) => abs(a - b) > 1e-6 * max(abs(a), abs(b), least);

function markKink(slot) {
  const at = (slot.kinks ?? []).find(([left, right]) => isNumber(o[left]) && isNumber(o[right]) && apart(o[left], o[right]));
  slot.kink.classList.toggle("off", !at);
  if (at) write(slot.kink.querySelector("text"), "kink: " + show(o[at[0]]) + " | " + show(o[at[1]]) + ", taken " + show(o[at[2]]));
}

const told = (step) => (flows(step) ? say(step.line) : "Nothing flows from " + slots.get("n" + step.source).name + " to " + slots.get(slotName(step)).name + ".");

function mark() {
  for (const element of stage.querySelectorAll(".now, .source, .along, .todo")) element.classList.remove("now", "source", "along", "todo");
  const done = steps.slice(0, now);
  const last = now < end ? done.at(-1) : undefined;
  if (now < end) {
    const used = new Set(done.filter((step) => !step.forward).map((step) => step.edge));
    lines.forEach((line, j) => {
      if (used.has(j)) return;
      line.group?.classList.add("todo");
      line.label?.classList.add("todo");
    });
  }
  if (last) {
    const ends = [part(slotName(last)), part("n" + last.source)];
    if (last.forward) ends.splice(1, 1, ...lines.flatMap((edge, j) => (edge.t === last.card ? [part("n" + edge.s), part("l" + j)] : [])));
    ends[0]?.classList.add("now");
    if (!last.forward) ends[1]?.classList.add("source");
    const along = last.forward ? lines.flatMap((edge, j) => (edge.t === last.card ? [j] : [])) : last.edge == null ? [] : [last.edge];
    for (const j of along) for (const name of ["e", "l"]) part(name + j)?.classList.add("along");
    bring(ends.concat(last.edge == null ? [] : [part("l" + last.edge)]).filter(Boolean));
  }
  byId("line").textContent = last ? told(last) : now === end ? say(view.end) : "The leaves are given. Next computes the first value.";
  byId("rule").textContent = last && flows(last) ? say(last.rule ?? []) : "";
  markSteps(now === end ? "done" : now + " / " + steps.length, now === end ? "done" : "step " + now + " of " + steps.length);
}

// Both ends of a step and its factor into view, smaller where they would not fit.
function bring(elements) {
  const around = () => {
    const boxes = elements.map((element) => boxOf(uncover(element)));
    const all = (side, pick) => pick(...boxes.map((box) => box[side]));
    return { left: all("left", min), right: all("right", max), top: all("top", min), bottom: all("bottom", max) };
  };
  let box = around();
  const over = max((box.right - box.left + 8) / stage.clientWidth, (box.bottom - box.top + 8) / stage.clientHeight);
  if (over > 1) {
    zoomBy(1 / over);
    box = around();
  }
  scrollToBox(box, false);
}

function jump(k) {
  now = clamp(0, k, end);
  paint();
  mark();
}

function remember() {
  if (framed) return; // about:srcdoc has no address to keep
  clearTimeout(writing); // browsers refuse more than a few changes a second
  writing = setTimeout(() => history.replaceState(null, "", "#step=" + now), 250);
}

function readAddress(hash) {
  const wanted = /^#step=(\d{1,9})$/.exec(hash);
  pause();
  jump(wanted ? Number(wanted[1]) : end);
}

if (view.steps.length) {
  bindSteps();
  addEventListener("hashchange", (event) => {
    readAddress(new URL(event.newURL).hash); // location.hash may have been written by remember() in between
    remember();
  });
}

// Tooltips are written when they are asked for.
stage.addEventListener("pointerover", (event) => {
  const group = event.target.closest?.("g[id]");
  const slot = slots.get(group?.id.slice(view.prefix.length + 1));
  if (slot?.v == null) return;
  const total = slot.g === null || !flows(slot) ? slot.label && slot.label + ": no gradient reaches it" : slot.label + " = " + String(o[slot.g]);
  const title = group.querySelector("title") ?? draw(group, "title", {});
  title.textContent = [slot.name, "value = " + String(o[slot.v]), total].filter(Boolean).join("\n");
});

const viewKeys = { "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(1 / 1.25), 0: whole };
const panKeys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (isOther(event)) return;
  if (target.id === "slider" && key !== " " && !(key in viewKeys)) return; // it moves by itself
  let action = viewKeys[key] ?? (steps.length ? stepKeys[key] : undefined);
  if (event.shiftKey && key in panKeys) action = () => stage.scrollBy(60 * panKeys[key][0], 60 * panKeys[key][1]);
  if (!action) return;
  event.preventDefault();
  action();
});
