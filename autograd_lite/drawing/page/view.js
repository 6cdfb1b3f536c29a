// Pan and zoom: the stage scrolls, the picture has a size.  Which of the two pictures shows; search.
let svg = stage.querySelector("svg");
let width = 1;
let height = 1;
let scale = 1;
let opened = false; // past the first view
let fitted = false; // the whole picture is in view, and stays so when the window changes
let arranged = "";

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
}

function zoomBy(factor, u, v) {
  fitted = false;
  zoomTo(scale * factor, u, v);
}

function whole() {
  fitted = true;
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
}

// The picture above the panels or beside them, wide or tall: whichever shows it largest.
function arrange() {
  const room = { w: innerWidth, h: innerHeight - byId("top").offsetHeight };
  const panels = !byId("side").hidden;
  const narrow = innerWidth < 760;
  const ways = [];
  for (const picture of stage.children) {
    if (!picture.querySelector("svg").id.startsWith(view.prefix)) continue;
    const box = picture.querySelector("svg").viewBox.baseVal;
    const fit = (w, h) => min(w / box.width, h / box.height, 1.2);
    const isTall = picture.classList.contains("tall");
    if (!panels) ways.push({ fit: fit(room.w, room.h), way: "alone", isTall, box });
    else if (narrow) ways.push({ fit: min(room.w / box.width, 1.2), way: "stacked", isTall, box });
    else {
      ways.push({ fit: fit(room.w, 0.46 * room.h), way: "above", isTall, box });
      ways.push({ fit: fit(room.w - 430, room.h), way: "beside", isTall, box });
    }
  }
  const best = ways.reduce((a, b) => (b.fit > a.fit * 1.02 ? b : a));
  document.body.className = best.way;
  const first = svg === undefined || arranged === "";
  const changed = tall !== best.isTall || first;
  tall = best.isTall;
  arranged = best.way;
  svg = byId(prefix());
  for (const picture of stage.children) picture.hidden = svg.parentElement !== picture;
  width = best.box.width;
  height = best.box.height;
  stage.style.flexBasis = best.way === "above" ? Math.ceil(height * clamp(least, best.fit, 1.2)) + 14 + "px" : "";
  return changed;
}

// A picture that fits only when too small to read opens at its full size, at the result.
function open() {
  if (wholeScale() >= least * 0.98) return whole();
  fitted = false;
  zoomTo(least);
  const result = part("n" + view.root);
  if (result) scrollToBox(boxOf(result), true);
}

addEventListener("resize", () => {
  sizes.clear();
  if (arrange()) {
    findSlots();
    paint();
    open();
  } else if (fitted) open();
  redraw();
});
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
let spread = 0; // between two fingers
const fingers = (event) => {
  const [a, b] = event.touches;
  return [Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), (a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2];
};
stage.addEventListener("touchstart", (event) => {
  if (event.touches.length === 2) [spread] = fingers(event);
});
stage.addEventListener(
  "touchmove",
  (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const [now, u, v] = fingers(event);
    zoomBy(now / spread, u, v);
    spread = now;
  },
  { passive: false },
);
