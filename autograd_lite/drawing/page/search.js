// The search box that large pictures have.
const query = byId("query");
const cardNames = data.names.map((names) => names.map((name) => name.toLowerCase()));
let found = [];
let foundAt = -1;

function search() {
  const wanted = query.value.trim().toLowerCase();
  const rank = (names) => min(...names.map((name) => (name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3)));
  const ranked = cardNames.map((names, i) => [rank(names), i]).filter(([r]) => wanted && r < 3);
  found = ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
  cardNames.forEach((_, i) => part("n" + i)?.classList.toggle("found", found.includes(i)));
  foundAt = -1;
  if (found.length) nextFound(1);
  else nothingFound(wanted);
}

function nothingFound(wanted) {
  for (const element of stage.querySelectorAll(".here")) element.classList.remove("here");
  byId("count").textContent = wanted ? "none" : "";
}

function nextFound(way) {
  if (!found.length) return;
  foundAt = (foundAt + way + found.length) % found.length;
  nothingFound("");
  const card = part("n" + found[foundAt]);
  card.classList.add("here");
  if (scale < 0.7) zoomBy(1 / scale);
  scrollToBox(boxOf(uncover(card)), true);
  byId("count").textContent = foundAt + 1 + " of " + found.length;
}

query.oninput = search;
query.onkeydown = (event) => {
  if (event.key === "Enter") nextFound(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") {
    query.value = "";
    search();
  }
};
