// What a picture shows: the leaves as they are, every number that follows from them, and which of its views is seen.
const live = typeof run === "function"; // else the numbers stay as they were drawn
const stage = byId("stage");
const start = data.leaves.map((leaf) => leaf.x);
let x = start.map(unpack); // the leaves
let o = live ? run(x) : data.numbers.map(unpack); // everything that follows from them
let view = data.views[0]; // whose gradients show, and whether loops are opened
let iterations = view.loops.map((loop) => loop.at); // the iteration of each loop that is shown
const part = (name) => byId(view.prefix + "-" + name);

// Of a card, an edge or a step in a loop: what it is in the iteration that is shown.
const resolved = (each) => (each.iterations ? { ...each, ...each.iterations[iterations[each.loop]] } : each);

// Whether something is there at all for the leaves as they are: nothing flows to what was not taken.
const flows = (each) => !each.n || (o[each.n[0]] !== 0) === each.n[1];

// A text whose numbers are places in o; what does not flow there is none.
const say = (text) => text.map((each) => (typeof each === "string" ? each : flows({ n: each[2] }) ? written(o[each[0]], each[1]) : each[1] === "a" ? " + none" : "none")).join("");
