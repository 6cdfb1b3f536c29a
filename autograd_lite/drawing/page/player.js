// First, Back, Play, Next, Last and the slider, for pages that know now, end and how to jump.
let timer = 0;

function pause() {
  clearTimeout(timer);
  timer = 0;
  byId("play").textContent = "Play";
}

function go(k) {
  pause();
  jump(k);
  remember();
}

function play() {
  if (calm.matches) return go(now + 1); // no motion but by hand
  if (timer) return pause();
  if (now === end) jump(0);
  byId("play").textContent = "Pause";
  const wait = clamp(40, 30000 / end, 1200);
  const tick = () => {
    jump(now + 1);
    remember();
    timer = setTimeout(tick, wait);
    if (now === end) pause();
  };
  timer = setTimeout(tick, wait);
}

// Where the steps stand, in the slider and on the buttons.
function markSteps(text, said) {
  byId("where").textContent = text;
  byId("slider").value = now;
  byId("slider").setAttribute("aria-valuetext", said);
  for (const [id, off] of [["first", now === 0], ["back", now === 0], ["next", now === end], ["last", now === end]]) byId(id).setAttribute("aria-disabled", off);
}

function bindSteps() {
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
}

const stepKeys = { ArrowLeft: () => go(now - 1), ArrowRight: () => go(now + 1), Home: () => go(0), End: () => go(end), " ": play };

// Whether a key is for something else: what is typed into a field, or a button of its own.
function isOther({ key, target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey || target.tagName === "SELECT" || (target.tagName === "INPUT" && target.id !== "slider")) return true;
  return key === " " && (target.tagName === "BUTTON" || target.tagName === "SUMMARY");
}
