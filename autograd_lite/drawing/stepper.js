// The page around a picture: steps through the backward pass, pan and zoom, search.  Data comes from #data (see html.py).
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const stage = byId("stage");
  const svg = stage.querySelector("svg");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const framed = window !== window.parent; // in a notebook: the wheel belongs to the page around
  const part = (name) => byId(data.prefix + "-" + name);
  for (const element of document.querySelectorAll("[hidden]")) element.hidden = false;
  document.documentElement.classList.add("scripted");

  // -- pan and zoom: the stage scrolls, the picture has a size ------------------------------------------------------

  const { width, height } = svg.viewBox.baseVal;
  let scale = 1;
  let opened = false; // past the first view
  let fitted = false; // the whole picture is in view, and stays so when the window changes

  const clamp = (low, x, high) => Math.max(low, Math.min(x, high));
  const wholeScale = () => clamp(0.02, Math.min(stage.clientWidth / width, stage.clientHeight / height), 1.4);

  function zoomTo(wanted, x, y) {
    const frame = stage.getBoundingClientRect();
    x ??= frame.left + frame.width / 2;
    y ??= frame.top + frame.height / 2;
    const before = svg.getBoundingClientRect();
    const [u, v] = [(x - before.left) / scale, (y - before.top) / scale];
    scale = clamp(Math.min(0.1, wholeScale()), wanted, 5);
    svg.style.width = width * scale + "px";
    svg.style.height = height * scale + "px";
    const after = svg.getBoundingClientRect();
    stage.scrollLeft += after.left + u * scale - x;
    stage.scrollTop += after.top + v * scale - y;
  }

  function zoomBy(factor, x, y) {
    fitted = false;
    zoomTo(scale * factor, x, y);
  }

  function whole() {
    fitted = true;
    zoomTo(wholeScale());
  }

  function scrollToBox(box, always) {
    const frame = stage.getBoundingClientRect();
    const inside = box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
    if (inside && !always) return;
    stage.scrollBy({
      left: (box.left + box.right) / 2 - frame.left - stage.clientWidth / 2,
      top: (box.top + box.bottom) / 2 - frame.top - stage.clientHeight / 2,
      behavior: opened && !calm.matches ? "smooth" : "instant",
    });
  }

  // A picture that fits only when too small to read opens at its full size, at the result.
  function open() {
    if (wholeScale() >= 0.75) return whole();
    zoomTo(1);
    const result = part("n" + data.root);
    if (result) scrollToBox(result.getBoundingClientRect(), true);
  }

  addEventListener("resize", () => fitted && whole());
  byId("out").onclick = () => zoomBy(1 / 1.25);
  byId("in").onclick = () => zoomBy(1.25);
  byId("whole").onclick = whole;
  stage.addEventListener(
    "wheel",
    (event) => {
      const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!event.ctrlKey && (framed || sideways)) return;
      event.preventDefault();
      const delta = event.deltaY * (event.deltaMode ? 16 : 1) * (event.ctrlKey ? 5 : 1);
      zoomBy(Math.exp(clamp(-300, -delta, 300) * 0.002), event.clientX, event.clientY);
    },
    { passive: false },
  );
  let held = null; // where the mouse holds the picture
  stage.addEventListener("pointerdown", (event) => {
    const frame = stage.getBoundingClientRect();
    const onScrollbar = event.clientX - frame.left > stage.clientWidth || event.clientY - frame.top > stage.clientHeight;
    if (event.pointerType === "touch" || event.button !== 0 || onScrollbar) return; // fingers scroll by themselves
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("dragged");
    held = [event.clientX, event.clientY];
  });
  stage.addEventListener("pointermove", (event) => {
    if (!held) return;
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
      const [now, x, y] = fingers(event);
      zoomBy(now / spread, x, y);
      spread = now;
    },
    { passive: false },
  );

  // -- search -------------------------------------------------------------------------------------------------------

  const query = byId("query");
  const cardNames = data.names.map((names) => names.map((name) => name.toLowerCase()));
  let found = [];
  let at = -1;

  function search() {
    const wanted = query.value.trim().toLowerCase();
    const rank = (names) => Math.min(...names.map((name) => (name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3)));
    const ranked = cardNames.map((names, i) => [rank(names), i]).filter(([r]) => wanted && r < 3);
    found = ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
    cardNames.forEach((_, i) => part("n" + i)?.classList.toggle("found", found.includes(i)));
    at = -1;
    if (found.length) nextFound(1);
    else nothingFound(wanted);
  }

  function nothingFound(wanted) {
    for (const element of stage.querySelectorAll(".here")) element.classList.remove("here");
    byId("count").textContent = wanted ? "none" : "";
  }

  function nextFound(way) {
    if (!found.length) return;
    at = (at + way + found.length) % found.length;
    nothingFound("");
    const card = part("n" + found[at]);
    card.classList.add("here");
    if (scale < 0.7) zoomBy(1 / scale);
    scrollToBox(card.getBoundingClientRect(), true);
    byId("count").textContent = at + 1 + " of " + found.length;
  }

  if (query) {
    query.oninput = search;
    query.onkeydown = (event) => {
      if (event.key === "Enter") nextFound(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") {
        query.value = "";
        search();
      }
    };
  }

  // -- steps --------------------------------------------------------------------------------------------------------

  const steps = data.steps;
  const end = steps.length + 1; // after the last step: the finished picture, nothing highlighted
  const signs = ["pos", "neg", "zero", "bad"];
  const slots = new Map(); // what the steps change: the adjoint on a card or in a row, by the id of that card or row
  let now = end;
  let timer = 0;
  let writing = 0;

  const slotName = (step) => "n" + step.card + (step.row === null ? "" : "-r" + step.row);

  function findSlots() {
    for (const name of new Set(steps.map(slotName))) {
      const group = part(name);
      const mine = (kind) =>
        group && [...group.querySelectorAll("." + CSS.escape(data.prefix) + "-" + kind)].find((element) => element.parentNode === group);
      const [text, band] = [mine("grad"), mine("band")];
      const sign = signs.find((s) => band?.classList.contains(data.prefix + "-" + s));
      slots.set(name, { text, band, after: text?.textContent, sign, strength: band?.getAttribute("fill-opacity") });
    }
  }

  function fill(slot, state) {
    if (slot.text) slot.text.textContent = state ? state.after : "·";
    for (const element of [slot.text, slot.band]) {
      for (const sign of signs) element?.classList.toggle(data.prefix + "-" + sign, state?.sign === sign);
    }
    slot.band?.setAttribute("fill-opacity", state ? state.strength : 0);
  }

  // Step k is built anew from the list, whatever was shown before, so that any jump is exact.
  function show(k) {
    now = clamp(0, k, end);
    const done = steps.slice(0, now);
    const last = now < end ? done.at(-1) : undefined;
    const states = new Map(done.map((step) => [slotName(step), step]));
    for (const [name, slot] of slots) fill(slot, now === end ? slot : states.get(name));
    for (const element of stage.querySelectorAll(".now, .source, .along, .todo")) element.classList.remove("now", "source", "along", "todo");
    const used = new Set(done.map((step) => step.edge));
    for (let j = 0; now < end && j < data.edges; j++) {
      if (used.has(j)) continue;
      for (const name of ["e", "l"]) part(name + j)?.classList.add("todo");
    }
    if (last) {
      part("n" + last.source)?.classList.add("source");
      part(slotName(last))?.classList.add("now");
      for (const name of ["e", "l"]) if (last.edge !== null) part(name + last.edge)?.classList.add("along");
      const boxes = [...stage.querySelectorAll(".now, .source")].map((element) => element.getBoundingClientRect());
      const all = (side, pick) => pick(...boxes.map((box) => box[side]));
      if (boxes.length) {
        const box = { left: all("left", Math.min), right: all("right", Math.max), top: all("top", Math.min), bottom: all("bottom", Math.max) };
        const fits = box.right - box.left <= stage.clientWidth && box.bottom - box.top <= stage.clientHeight;
        scrollToBox(fits ? box : (part(slotName(last)) ?? svg).getBoundingClientRect(), false);
      }
    }
    byId("line").textContent = last ? last.line : now === end ? data.end : data.start;
    byId("rule").textContent = last ? last.rule : "";
    const where = now === end ? "done" : now + " / " + steps.length;
    byId("where").textContent = where;
    byId("slider").value = now;
    byId("slider").setAttribute("aria-valuetext", now === end ? "done" : "step " + now + " of " + steps.length);
    for (const [id, off] of [["first", now === 0], ["back", now === 0], ["next", now === end], ["last", now === end]]) {
      byId(id).setAttribute("aria-disabled", off);
    }
  }

  function go(k) {
    pause();
    show(k);
    remember();
  }

  function remember() {
    if (framed) return; // about:srcdoc has no address to keep
    clearTimeout(writing); // browsers refuse more than a few changes a second
    writing = setTimeout(() => history.replaceState(null, "", "#step=" + now), 250);
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    byId("play").textContent = "Play";
  }

  function play() {
    if (calm.matches) return go(now + 1); // no motion but by hand
    if (timer) return pause();
    if (now === end) show(0);
    byId("play").textContent = "Pause";
    const wait = clamp(250, 30000 / end, 1200);
    const tick = () => {
      show(now + 1);
      remember();
      timer = setTimeout(tick, wait);
      if (now === end) pause();
    };
    timer = setTimeout(tick, wait);
  }

  function readAddress(hash) {
    const wanted = /^#step=(\d{1,9})$/.exec(hash);
    pause();
    show(wanted ? Number(wanted[1]) : end);
  }

  if (steps.length) {
    findSlots();
    const hidePlay = () => {
      byId("play").hidden = calm.matches;
      pause();
    };
    calm.addEventListener("change", hidePlay);
    hidePlay();
    byId("first").onclick = () => go(0);
    byId("back").onclick = () => go(now - 1);
    byId("play").onclick = play;
    byId("next").onclick = () => go(now + 1);
    byId("last").onclick = () => go(end);
    byId("slider").oninput = (event) => go(Number(event.target.value));
    addEventListener("hashchange", (event) => {
      readAddress(new URL(event.newURL).hash); // location.hash may have been written by remember() in between
      remember();
    });
  }

  // -- keys ---------------------------------------------------------------------------------------------------------

  const viewKeys = { "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(1 / 1.25), 0: whole };
  const stepKeys = { ArrowLeft: () => go(now - 1), ArrowRight: () => go(now + 1), Home: () => go(0), End: () => go(end), " ": play };
  const panKeys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target === query) return;
    if (key === " " && target.tagName === "BUTTON") return;
    if (target.id === "slider" && key !== " " && !(key in viewKeys)) return; // it moves by itself
    let action = viewKeys[key] ?? (steps.length ? stepKeys[key] : undefined);
    if (event.shiftKey && key in panKeys) action = () => stage.scrollBy(60 * panKeys[key][0], 60 * panKeys[key][1]);
    if (!action) return;
    event.preventDefault();
    action();
  });

  open();
  if (steps.length) readAddress(location.hash);
  opened = true;
})();
