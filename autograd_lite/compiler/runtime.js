// What a program in JavaScript needs and Math lacks, or computes otherwise than C does.  Each definition stands alone between
// empty lines, and only those that a program uses, directly or through another, go into a page (see to_js.py).

// C's pow: any power of 1 is 1, and so are infinite powers of -1.
function pow(x, y) {
  if (x === 1 || (x === -1 && !Number.isFinite(y) && y === y)) return 1;
  return x ** y;
}

// To the nearest whole number, halves to the even one.
function rint(x) {
  if (!(Math.abs(x) < 4503599627370496)) return x;
  return x < 0 ? -(-x + 4503599627370496 - 4503599627370496) : x + 4503599627370496 - 4503599627370496;
}

function copysign(x, y) {
  return y < 0 || Object.is(y, -0) ? -Math.abs(x) : Math.abs(x);
}

// Python's round(x, digits): the decimal nearest to the double itself, ties to the even digit.
function roundTo(x, digits) {
  if (!Number.isFinite(x)) return x;
  if (digits < 0) {
    const unit = 10 ** -digits;
    return Number.isFinite(unit) ? rint(x / unit) * unit : 0 * x;
  }
  if (digits > 100 || Math.abs(x) >= 1e21) return x;
  const down = Math.floor(Math.abs(x) * 10 ** digits) / 10 ** digits;
  const even = Math.floor(Math.abs(x) * 10 ** digits) % 2 === 0;
  const tie = Math.abs(x) * 10 ** digits - Math.floor(Math.abs(x) * 10 ** digits) === 0.5;
  const exact = digits <= 22 && tie && Number.isInteger(Math.abs(x) * 2 ** (digits + 1)); // a half of 10^-digits is 5^-digits 2^-(digits+1)
  return exact && even ? copysign(down, x) : Number(x.toFixed(digits));
}

function exp2(x) {
  return 2 ** x;
}

function horner(x, coefficients) {
  let total = 0;
  for (const c of coefficients) total = total * x + c;
  return total;
}

// erf and erfc by rational functions on four ranges: Sun's fdlibm, s_erf.c (1993), freely granted; within 1 ulp.
const ERF_NEAR = [
  [-2.37630166566501626084e-5, -5.77027029648944159157e-3, -2.84817495755985104766e-2, -3.25042107247001499370e-1, 1.28379167095512558561e-1],
  [-3.96022827877536812320e-6, 1.32494738004321644526e-4, 5.08130628187576562776e-3, 6.50222499887672944485e-2, 3.97917223959155352819e-1, 1],
];

const ERF_MIDDLE = [
  [-2.16637559486879084300e-3, 3.54783043256182359371e-2, -1.10894694282396677476e-1, 3.18346619901161753674e-1, -3.72207876035701323847e-1, 4.14856118683748331666e-1, -2.36211856075265944077e-3],
  [1.19844998467991074170e-2, 1.36370839120290507362e-2, 1.26171219808761642112e-1, 7.18286544141962662868e-2, 5.40397917702171048937e-1, 1.06420880400844228286e-1, 1],
];

const ERF_FAR = [
  [-9.81432934416914548592, -8.12874355063065934246e1, -1.84605092906711035994e2, -1.62396669462573470355e2, -6.23753324503260060396e1, -1.05586262253232909814e1, -6.93858572707181764372e-1, -9.86494403484714822705e-3],
  [-6.04244152148580987438e-2, 6.57024977031928170135, 1.08635005541779435134e2, 4.29008140027567833386e2, 6.45387271733267880336e2, 4.34565877475229228821e2, 1.37657754143519042600e2, 1.96512716674392571292e1, 1],
];

const ERF_TAIL = [
  [-4.83519191608651397019e2, -1.02509513161107724954e3, -6.37566443368389627722e2, -1.60636384855821916062e2, -1.77579549177547519889e1, -7.99283237680523006574e-1, -9.86494292470009928597e-3],
  [-2.24409524465858183362e1, 4.74528541206955367215e2, 2.55305040643316442583e3, 3.19985821950859553908e3, 1.53672958608443695994e3, 3.25792512996573918826e2, 3.03380607434824582924e1, 1],
];

function ratio(x, [above, below]) {
  return horner(x, above) / horner(x, below);
}

// erfc of x from 1.25 up: the square of the high half of x is exact, so that exp does not blow up its rounding.
function erfcTail(x) {
  const s = 1 / (x * x);
  const t = 134217729 * x;
  const high = t - (t - x);
  const r = x < 1 / 0.35 ? ratio(s, ERF_FAR) : ratio(s, ERF_TAIL);
  return (Math.exp(-high * high - 0.5625) * Math.exp((high - x) * (high + x) + r)) / x;
}

function erf(x) {
  const size = Math.abs(x);
  if (!(size >= 0.84375)) return x + x * ratio(x * x, ERF_NEAR);
  const y = size < 1.25 ? 8.45062911510467529297e-1 + ratio(size - 1, ERF_MIDDLE) : size < 6 ? 1 - erfcTail(size) : 1;
  return x < 0 ? -y : y;
}

function erfc(x) {
  const size = Math.abs(x);
  if (!(size >= 0.84375)) {
    const y = ratio(x * x, ERF_NEAR);
    return x < 0.25 ? 1 - (x + x * y) : 0.5 - (x * y + (x - 0.5));
  }
  if (size < 1.25) {
    const y = ratio(size - 1, ERF_MIDDLE);
    return x < 0 ? 1 + (8.45062911510467529297e-1 + y) : 1 - 8.45062911510467529297e-1 - y;
  }
  const y = size < 28 ? erfcTail(size) : 0;
  return x < 0 ? 2 - y : y;
}

// The gamma family: ports of ops/numerics.py and, for gamma itself, of Lanczos' sum in CPython's mathmodule.c.
const LANCZOS = [
  [2.5066282746310002701649081771338373386264310793408, 210.82427775157934587250973392071336271166969580291, 8071.6720023658162106380029022722506138218516325024, 186056.26539522349504029498971604569928220784236328, 2876370.6289353724412254090516208496135991145378768, 31426415.585400194380614231628318205362874684987640, 248874557.86205415651146038641322942321632125127801, 1439720407.3117216736632230727949123939715485786372, 6039542586.3520280050642916443072979210699388420708, 17921034426.037209699919755754458931112671403265390, 35711959237.355668049440185451547166705960488635843, 42919803642.649098768957899047001988850926355848959, 23531376880.410759688572007674451636754734846804940],
  [1, 66, 1925, 32670, 357423, 2637558, 13339535, 45995730, 105258076, 150917976, 120543840, 39916800, 0],
];

function lanczos(x) {
  if (x < 5) return ratio(x, LANCZOS);
  return horner(1 / x, LANCZOS[0].slice().reverse()) / horner(1 / x, LANCZOS[1].slice().reverse());
}

function isPole(x) {
  return x > -Infinity && x <= 0 && x === Math.floor(x);
}

// sin(pi x) and cos(pi x) of a finite x.
function sincospi(x) {
  const r = x - rint(x);
  const sign = rint(x) % 2 ? -1 : 1;
  const cosine = Math.abs(r) > 0.25 ? Math.sin(Math.PI * (0.5 - Math.abs(r))) : Math.cos(Math.PI * r);
  return [sign * Math.sin(Math.PI * r) + 0, sign * cosine + 0];
}

// The sum of many terms with their rounding errors made good (Neumaier).
function sum(terms) {
  let total = 0;
  let lost = 0;
  for (const x of terms) {
    const next = total + x;
    lost += Math.abs(total) >= Math.abs(x) ? total - next + x : x - next + total;
    total = next;
  }
  return Number.isFinite(lost) ? total + lost : total;
}

const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138];

// Euler and Maclaurin's correction.
function correction(s, a) {
  const terms = [0.5];
  let factor = s / a / 2;
  BERNOULLI.forEach((b, i) => {
    const j = i + 1;
    terms.push(b * factor);
    factor *= ((s + 2 * j - 1) / a) * ((s + 2 * j) / a) / ((2 * j + 1) * (2 * j + 2));
  });
  return sum(terms);
}

// unit^s times the zeta function of Hurwitz.
function zeta(s, x, unit) {
  const terms = [];
  let a = x;
  while (a < s + 10) {
    terms.push((unit / a) ** s);
    if (terms.at(-1) < 1e-20 || a + 1 === a) return sum(terms);
    a = x + terms.length;
  }
  terms.push((unit / a) ** s * (a / (s - 1) + correction(s, a)));
  return sum(terms);
}

function digammaTaylor(center) {
  return Array.from({ length: 40 }, (_, i) => ((i % 2 ? -1 : 1) * zeta(i + 2, center, center)) / center ** (i + 2));
}

const AT_ROOT = digammaTaylor(1.4616321449683622);

const AT_2 = digammaTaylor(2);

function digamma(x) {
  if (x === 0) return -Infinity;
  if (isPole(x) || x === -Infinity || x !== x) return NaN;
  if (x === Infinity) return x;
  if (x < 0) {
    const [sine, cosine] = sincospi(x);
    return digamma(1 - x) - (Math.PI * cosine) / sine;
  }
  const h = x - 1.4616321449683622 - 9.549995429965697e-17;
  if (Math.abs(h) < 0.5) return sum(AT_ROOT.map((c, k) => c * h ** (k + 1)));
  const terms = [];
  let a = x;
  while (a < 11) {
    terms.push(-1 / a);
    a = x + terms.length;
  }
  return sum([Math.log(a), -correction(1, a) / a, ...terms]);
}

// n! x^-(n+1) total, overflowing only where the product does.
function timesFactorial(n, x, total) {
  if (n <= 170) {
    let product = total;
    const parts = Array.from({ length: n }, (_, i) => i + 1);
    for (const k of parts.reverse()) product = x < 1 ? (product * k) / 1 : (product / x) * k;
    if (x >= 1) return product / x;
    const power = x ** -(n + 1);
    if (Number.isFinite(power) && Number.isFinite(product)) return product * power;
    let scaled = total;
    for (let k = 1; k <= n; k++) scaled = (scaled / x) * k;
    return scaled / x;
  }
  const half = (n / x / Math.E) ** (n / 2);
  return half * ((Math.sqrt(2 * Math.PI * n) / x) * Math.exp(1 / (12 * n) - 1 / (360 * n * n * n)) * total) * half;
}

function polygamma(n, x) {
  if (!(n >= 0 && n % 1 === 0) || x !== x || x === -Infinity) return NaN;
  if (n === 0) return digamma(x);
  const sign = n % 2 ? 1 : -1;
  if (isPole(x)) return n % 2 ? Infinity : x === 0 ? -Infinity : NaN;
  if (x === Infinity) return 0;
  const s = n + 1;
  if (x > 0) return sign * timesFactorial(n, x, zeta(s, x, x));
  const d = x - rint(x);
  if (Math.abs(d) === 0.5 && sign < 0) return polygamma(n, 1 - x);
  const unit = Math.abs(d);
  const near = zeta(s, unit, unit);
  const far = zeta(s, 2 - unit, unit) + (unit > 0.25 ? Math.exp(-2 * s * Math.atanh(1 - 2 * unit)) : (unit / (1 - unit)) ** s);
  const [right, left] = d > 0 ? [near, far] : [far, near];
  return sign * timesFactorial(n, unit, right + sign * (left - zeta(s, 1 - x, unit)));
}

function sinc(x) {
  if (Math.abs(x) === Infinity) return 0;
  return x === 0 ? 1 : sincospi(x)[0] / (Math.PI * x) + 0;
}

// The n-th derivative of sinc: up the recurrence while it is stable, down it otherwise.
function sincDerivative(n, x) {
  if (!(n >= 0 && n % 1 === 0) || x !== x || n > 1e9) return NaN;
  if (n === 0) return sinc(x);
  if (Math.abs(x) === Infinity) return 0;
  const [sine, cosine] = sincospi(x);
  const derivatives = [sine, cosine, -sine, -cosine];
  const steps = 30 + 10 * Math.floor(Math.sqrt(n));
  let value = 0;
  if (Math.abs(x) * Math.PI > n + 2) {
    const first = Math.max(0, n - steps);
    value = first === 0 ? sine / Math.PI / x : 0;
    for (let k = first + 1; k <= n; k++) value = (derivatives[k % 4] - k * value) / Math.PI / x;
  } else {
    for (let k = n + steps; k > n; k--) value = (derivatives[k % 4] - Math.PI * x * value) / k;
  }
  if (value === 0) return 0;
  value += value * n * (1.2246467991473532e-16 / Math.PI);
  return value * Math.PI ** Math.floor(n / 2) * Math.PI ** (n - Math.floor(n / 2));
}

// Where gamma(x + n) / (x (x + 1) ... (x + n - 1)) is worth its price: gamma is flat there.
function betweenPoles(x) {
  return x > -6 && x < -1 && x - Math.floor(x) < 0.75;
}

// x (x + 1) ... up to the factor in [1, 2): the product as a fraction of whole numbers, rounded once at the end.
function rising(x) {
  const bits = 52 - Math.floor(Math.log2(Math.abs(x)));
  const bottom = 2n ** BigInt(bits);
  const top = BigInt(x * 2 ** Math.min(bits, 1000)) * 2n ** BigInt(bits - Math.min(bits, 1000));
  let product = 1n;
  const factors = 2 - Math.floor(x);
  for (let k = 0; k < factors; k++) product *= top + BigInt(k) * bottom;
  return [product, bottom ** BigInt(factors)];
}

function quotient(above, below) {
  const sign = above < 0n ? -1 : 1;
  const size = above < 0n ? -above : above;
  const shift = BigInt(Math.max(0, below.toString(2).length - size.toString(2).length + 64));
  return sign * Number((size << shift) / below) * 2 ** -Number(shift);
}

function lgammaNear2(w) {
  return w * sum([0.42278433509846714, ...AT_2.map((c, k) => (c * w ** (k + 1)) / (k + 2))]);
}

function gamma(x) {
  if (isPole(x) || x === -Infinity || x !== x) return NaN;
  if (x === Infinity) return x;
  if (betweenPoles(x)) return Math.exp(lgammaNear2(x - Math.floor(x))) / quotient(...rising(x));
  if (x > 0 && x <= 23 && x % 1 === 0) {
    let product = 1;
    for (let k = 2; k < x; k++) product *= k;
    return product;
  }
  const size = Math.abs(x);
  if (size < 1e-20) return 1 / x;
  if (size > 200) return x > 0 ? Infinity : 0;
  const y = size + 5.524680040776729583740234375;
  const lost = size > 5.524680040776729583740234375 ? y - size - 5.524680040776729583740234375 : y - 5.524680040776729583740234375 - size;
  const z = (lost * 6.024680040776729583740234375) / y;
  const half = y ** (size / 2 - 0.25);
  if (x > 0) {
    let r = lanczos(size) / Math.exp(y);
    r += z * r;
    return r * half * half;
  }
  let r = ((-Math.PI / sincospi(size)[0] / size) * Math.exp(y)) / lanczos(size);
  r -= z * r;
  return r / half / half;
}

function lgamma(x) {
  if (isPole(x) || Math.abs(x) === Infinity) return Infinity;
  if (x > 0.5 && x < 1.25) return lgammaNear2(x - 1) - Math.log1p(x - 1);
  if (x >= 1.25 && x < 2.5) return lgammaNear2(x - 2);
  if (betweenPoles(x)) {
    const [product, one] = rising(x);
    return lgammaNear2(x - Math.floor(x)) - Math.log1p(quotient((product < 0n ? -product : product) - one, one));
  }
  const size = Math.abs(x);
  if (size < 1e-20) return -Math.log(size);
  let r = Math.log(lanczos(size)) - 6.024680040776729583740234375;
  r += (size - 0.5) * (Math.log(size + 6.024680040776729583740234375 - 0.5) - 1);
  return x > 0 ? r : 1.144729885849400174143427351353058711647 - Math.log(Math.abs(sincospi(size)[0])) - Math.log(size) - r;
}
