// Shared by the pieces of every page: the data, elements, how a number is written.
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const framed = window !== window.parent; // in a notebook: the wheel belongs to the page around
const { abs, max, min } = Math;
const boxOf = (element) => element.getBoundingClientRect();
const isNumber = Number.isFinite; // neither nan nor infinite
const clamp = (low, x, high) => max(low, min(x, high));

function unpack(x) {
  return typeof x === "number" ? x : { inf: Infinity, "-inf": -Infinity, nan: NaN }[x];
}

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element[name] = value;
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function draw(parent, tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

// As Python's format(x, ".4g"), with a minus as people write it; a tie goes to the even digit.
function show(x, digits = data.digits) {
  if (x !== x) return "nan";
  if (abs(x) === Infinity) return x < 0 ? "−∞" : "∞";
  if (x === 0) return "0";
  let [mantissa, exponent] = abs(x).toExponential(digits - 1).split("e");
  let figures = mantissa.replace(".", "");
  if (abs(x).toExponential(digits + 1).includes("50e")) {
    const [exact, power] = abs(x).toExponential(40).split("e"); // half way between two, or nearly
    const all = exact.replace(".", "");
    if (/^50*$/.test(all.slice(digits)) && Number(all[digits - 1]) % 2 === 0) [figures, exponent] = [all.slice(0, digits), power];
  }
  const e = Number(exponent);
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0*$/, "") : text);
  let text;
  if (e < -4 || e >= digits) {
    text = trim(figures[0] + "." + figures.slice(1)) + "e" + (e < 0 ? "−" : "+") + String(abs(e)).padStart(2, "0");
  } else if (e < 0) text = trim("0." + "0".repeat(-e - 1) + figures);
  else text = trim(figures.slice(0, e + 1) + "." + figures.slice(e + 1));
  return (x < 0 ? "−" : "") + text;
}

const bracketed = (x) => (show(x).startsWith("−") ? "(" + show(x) + ")" : show(x));

function written(x, style) {
  if (style?.[0] === " ") return x === x ? style : ""; // the formula of a number that there is
  if (style === "f") return bracketed(x);
  if (style === "a") return x < 0 ? " − " + show(-x) : " + " + show(x);
  return show(x);
}

const sign = (x) => (!x && x === x ? "zero" : isNumber(x) ? (x > 0 ? "pos" : "neg") : "bad");

// How strong a number shows beside the strongest, over three decades.
function strength(x, strongest) {
  if (x === 0) return 0;
  if (!isNumber(x) || !strongest) return 0.5;
  return 0.1 + 0.4 * clamp(0, 1 + (Math.log10(abs(x)) - Math.log10(strongest)) / 3, 1);
}

const largest = (xs) => xs.reduce((most, x) => (isNumber(x) ? max(most, abs(x)) : most), 0);
const nice = (x) => Number(x.toPrecision(1));
