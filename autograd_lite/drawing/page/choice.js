// Whose gradients are shown, whether loops are opened, and which iteration of each loop.
const choice = byId("choice");

// Several results: whose gradients; loops: drawn once or opened.
function viewName(each) {
  const several = data.views.some((other) => other.name !== each.name);
  const looped = data.views.some((other) => other.opened);
  return [several && "gradients of " + each.name, looped && (each.opened ? "loop opened" : "loop drawn once")].filter(Boolean).join(", ");
}

function makeChoice() {
  if (!choice) return;
  const held = choice.contains(document.activeElement); // by whoever chose with the keyboard
  choice.replaceChildren();
  if (data.views.length > 1) {
    const list = make("select", { "aria-label": "What is drawn" });
    data.views.forEach((each, k) => list.append(make("option", { value: k, selected: each === view }, viewName(each))));
    list.onchange = () => chooseView(Number(list.value));
    choice.append(list);
    if (held) list.focus();
  }
  view.loops.forEach((loop, k) => {
    if (!loop.titles) return; // none of it is drawn
    const slider = make("input", { type: "range", min: 1, max: loop.titles.length, value: iterations[k] + 1, step: 1, "aria-label": "Iteration of the loop" });
    const said = make("output", {}, loop.titles[iterations[k]]);
    slider.oninput = () => {
      iterations[k] = Number(slider.value) - 1;
      said.textContent = loop.titles[iterations[k]];
      showIteration();
    };
    slider.setAttribute("aria-valuetext", loop.titles[iterations[k]]);
    choice.append(make("label", { class: "line" }, "loop ", slider, said));
  });
}

function showIteration() {
  view.loops.forEach((loop, k) => {
    const title = part("b" + loop.frame)?.querySelector("text");
    if (title) title.textContent = loop.titles[iterations[k]];
  });
  findSlots();
  follow();
}

function chooseView(k) {
  const kept = view.prefix;
  if (chosen) choose(chosen);
  view = data.views[k];
  iterations = view.loops.map((loop) => loop.at);
  if (kept !== view.prefix) {
    byId("name").textContent = view.name;
    for (const each of document.querySelectorAll(".result")) each.textContent = view.name;
    fields.forEach(({ of, gradient }, i) => {
      of.textContent = slope(i) + " =";
      gradient.setAttribute("aria-label", slope(i));
    });
  }
  makeChoice();
  arrange();
  findSlots();
  now = end;
  if (steps.length) byId("slider").max = end;
  beginAgain();
  mark();
  follow();
  open();
}
