// Pan and zoom: the stage scrolls, the picture has a size.  Which way the picture runs.
let svg = stage.querySelector("svg");
let width = 1;
let height = 1;
let scale = 1;
let opened = false; // past the first view
let fitted = ""; // the whole picture is in view, and stays so when the window changes: as it "opened", or since that was "asked"
let arranged = "";

// Of a large picture what is out of view is not drawn: a frame of it would take longer than a frame may.
function cull() {
  if (view.slots.length <= LARGE) return;
  const [frame, box] = [boxOf(stage), boxOf(svg)];
  const seen = (left, top, right, bottom) =>
    box.left + right * scale > frame.left - NEAR && box.left + left * scale < frame.right + NEAR && box.top + bottom * scale > frame.top - NEAR && box.top + top * scale < frame.bottom + NEAR;
  const at = [];
  for (const slot of view.slots) {
    if (slot.row !== undefined) continue;
    const group = part("n" + slot.card);
    const [u, v] = view.places["n" + slot.card][0].match(/-?[\d.]+/g).map(Number);
    const edge = group.querySelector("rect");
    at[slot.card] = [u, v, u + Number(edge.getAttribute("width")), v + Number(edge.getAttribute("height"))];
    group.classList.toggle("away", !seen(...at[slot.card]));
  }
  view.edges.forEach(({ s, t }, j) => {
    const between = at[s] && at[t] && [min, min, max, max].map((pick, k) => pick(at[s][k], at[t][k]));
    for (const name of ["e", "l"]) part(name + j)?.classList.toggle("away", between !== undefined && !seen(...between));
  });
}

function uncover(element) {
  element.closest(".away")?.classList.remove("away");
  return element;
}

const LARGE = 60; // cards and rows
const NEAR = 100; // pixels
const least = 1; // the smallest text is 11 pixels high, and no smaller when fitted
const wholeScale = () => clamp(0.02, min(stage.clientWidth / width, stage.clientHeight / height), 1.4);

function zoomTo(wanted, u, v) {
  const frame = boxOf(stage);
  u ??= frame.left + frame.width / 2;
  v ??= frame.top + frame.height / 2;
  const before = boxOf(svg);
  const [a, b] = [(u - before.left) / scale, (v - before.top) / scale];
  scale = clamp(min(0.1, wholeScale()), wanted, 5);
  svg.style.width = width * scale + "px";
  svg.style.height = height * scale + "px";
  const after = boxOf(svg);
  stage.scrollLeft += after.left + a * scale - u;
  stage.scrollTop += after.top + b * scale - v;
  cull();
}

function zoomBy(factor, u, v) {
  fitted = "";
  zoomTo(scale * factor, u, v);
}

function whole() {
  fitted = "asked";
  zoomTo(wholeScale());
}

function scrollToBox(box, always) {
  const frame = boxOf(stage);
  const inside = box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
  if (inside && !always) return;
  stage.scrollBy({
    left: (box.left + box.right) / 2 - frame.left - stage.clientWidth / 2,
    top: (box.top + box.bottom) / 2 - frame.top - stage.clientHeight / 2,
    behavior: opened && !calm.matches ? "smooth" : "instant",
  });
  cull();
}

// The attributes that say where something is, by the end of its id, as the data have them.
function attributesOf(name) {
  const element = name ? part(name) : svg;
  if (name[0] === "e") return [...element.querySelectorAll("path")].map((path) => [path, "d"]);
  return (name ? (name[0] === "f" ? ["x", "y", "width", "height"] : ["transform"]) : ["viewBox"]).map((key) => [element, key]);
}

// Everything to its place when the picture runs the other way, or back.
function putInto(places) {
  for (const [name, values] of Object.entries(places)) attributesOf(name).forEach(([element, key], k) => element.setAttribute(key, values[k]));
  for (const [key, value] of Object.entries({ width, height })) svg.setAttribute(key, value);
}

// The picture above the panels or beside them, wide or tall: whichever shows it largest.
function arrange() {
  const room = { w: innerWidth, h: innerHeight - byId("top").offsetHeight };
  const panels = !byId("side").hidden;
  const narrow = innerWidth < 760;
  const ways = [];
  svg = byId(view.prefix);
  view.own ??= Object.fromEntries(Object.keys(view.other).map((name) => [name, attributesOf(name).map(([element, key]) => element.getAttribute(key))]));
  for (const places of [view.own, view.other]) {
    const [, , wide, high] = places[""][0].split(" ").map(Number);
    const fit = (w, h) => min(w / wide, h / high, 1.2);
    const add = (way, fits) => ways.push({ fit: fits, way, places, wide, high });
    if (!panels) add("alone", fit(room.w, room.h));
    else if (narrow) add("stacked", min(room.w / wide, 1.2));
    else {
      add("above", fit(room.w, 0.46 * room.h));
      add("beside", fit(room.w - 430, room.h));
    }
  }
  const best = ways.reduce((a, b) => (b.fit > a.fit * 1.02 ? b : a));
  document.body.className = best.way;
  arranged = best.way;
  for (const picture of stage.children) picture.hidden = svg.parentElement !== picture;
  [width, height] = [best.wide, best.high];
  const changed = (view.places ?? view.own) !== best.places;
  if (changed) putInto(best.places);
  view.places = best.places;
  stage.style.flexBasis = best.way === "above" ? Math.ceil(height * clamp(least, best.fit, 1.2)) + 14 + "px" : "";
  return changed;
}

// A picture that fits only when too small to read opens at its full size, at the result.
function open() {
  if (wholeScale() >= least * 0.98) {
    whole();
    fitted = "opened";
    return;
  }
  fitted = "";
  zoomTo(least);
  const result = part("n" + view.root);
  if (result) scrollToBox(boxOf(uncover(result)), true);
}

function resized() {
  sizes.clear();
  const turned = arrange();
  if (fitted === "asked") whole();
  else if (turned || fitted) open();
  cull();
  redraw();
  if (now < end) mark(); // its ends are to be seen
}

addEventListener("resize", resized);
byId("legend").ontoggle = resized;
stage.addEventListener("scroll", cull, { passive: true });
byId("out").onclick = () => zoomBy(1 / 1.25);
byId("in").onclick = () => zoomBy(1.25);
byId("whole").onclick = whole;
stage.addEventListener(
  "wheel",
  (event) => {
    const sideways = event.shiftKey || abs(event.deltaX) > abs(event.deltaY);
    if (!event.ctrlKey && (framed || sideways || arranged === "stacked")) return;
    event.preventDefault();
    const delta = event.deltaY * (event.deltaMode ? 16 : 1) * (event.ctrlKey ? 5 : 1);
    zoomBy(Math.exp(clamp(-300, -delta, 300) * 0.002), event.clientX, event.clientY);
  },
  { passive: false },
);
let held = null; // where the mouse holds the picture
let moved = 0;
stage.addEventListener("pointerdown", (event) => {
  const frame = boxOf(stage);
  const onScrollbar = event.clientX - frame.left > stage.clientWidth || event.clientY - frame.top > stage.clientHeight;
  moved = 0;
  if (event.pointerType === "touch" || event.button !== 0 || onScrollbar) return; // fingers scroll by themselves
  held = [event.clientX, event.clientY];
});
stage.addEventListener("pointermove", (event) => {
  if (!held) return;
  moved += abs(event.clientX - held[0]) + abs(event.clientY - held[1]);
  if (moved > 4 && !stage.classList.contains("dragged")) {
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("dragged");
  }
  stage.scrollLeft -= event.clientX - held[0];
  stage.scrollTop -= event.clientY - held[1];
  held = [event.clientX, event.clientY];
});
for (const name of ["pointerup", "pointercancel"]) {
  stage.addEventListener(name, () => {
    stage.classList.remove("dragged");
    held = null;
  });
}
let spread = [1, 0, 0]; // how far two fingers are apart, and the middle between them
const fingers = (event) => {
  const [a, b] = event.touches;
  return [Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), (a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2];
};
stage.addEventListener("touchstart", (event) => {
  if (event.touches.length === 2) spread = fingers(event);
});
stage.addEventListener(
  "touchmove",
  (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const [before, u, v] = spread;
    spread = fingers(event);
    zoomBy(spread[0] / before, u, v);
    stage.scrollBy({ left: u - spread[1], top: v - spread[2], behavior: "instant" });
  },
  { passive: false },
);
