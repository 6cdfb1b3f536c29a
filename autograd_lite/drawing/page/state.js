// What a picture shows: the leaves as they are, every number that follows from them, and which of its views is seen.
const live = typeof run === "function"; // else the numbers stay as they were drawn
const stage = byId("stage");
const start = data.leaves.map((leaf) => leaf.x);
let x = start.map(unpack); // the leaves
let o = live ? run(x) : data.numbers.map(unpack); // everything that follows from them
let tall = false; // which of the two pictures shows
const prefix = () => data.prefix + (tall ? "t" : ""); // of ids
const part = (name) => byId(prefix() + "-" + name);

// A text whose numbers are places in o.
const say = (text) => text.map((each) => (typeof each === "string" ? each : written(o[each[0]], each[1]))).join("");
