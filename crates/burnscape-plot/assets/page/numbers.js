// Numbers as text, and ticks.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function power(exponent) {
  return "10" + String(exponent).replace("-", "⁻").replace(/\d/g, (digit) => SUPERSCRIPTS[digit]);
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** At most so many significant digits, no trailing zeros, a true minus. */
function short(value, digits = 4) {
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "−∞";
  if (!isNumber(value)) return "not a number";
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e").map(Number);
  if (exponent < -4 || exponent >= Math.max(6, digits)) {
    const sign = mantissa < 0 ? "−" : "";
    return Math.abs(mantissa) === 1 ? sign + power(exponent) : `${sign}${Math.abs(mantissa)}×${power(exponent)}`;
  }
  // Back from text, so that zeros at the end go.
  const text = String(Number(value.toFixed(Math.max(0, digits - 1 - exponent))));
  return (text.includes("e") ? value.toFixed(digits - 1 - exponent) : text).replace("-", "−");
}

/** Whole numbers with their word: "1 lake", "3 lakes". */
function counted(count, one, many = one + "s") {
  return `${count} ${count === 1 ? one : many}`;
}

function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "less than 0.1 %";
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}

/** Round numbers from `low` to `high`, about `count` of them. */
function linearTicks(low, high, count) {
  const span = high - low;
  if (!(span > 0) || !isNumber(span)) return isNumber(low) ? [low] : [];
  const raw = span / Math.max(1, count);
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((it) => it >= raw * 0.999);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + 1e-9 * span; index += 1) {
    ticks.push(Number((index * step).toPrecision(12)));
    if (ticks.length > 1000) break;
  }
  return ticks;
}

/** Texts of ticks with the same number of decimals, so that they read as a scale. */
function tickTexts(ticks, digits = 4) {
  const texts = ticks.map((tick) => short(tick, digits));
  if (texts.some((text) => text.includes("10") && text.includes("×")) || texts.some((text) => /10[⁰-⁹⁻]/.test(text))) return texts;
  const steps = ticks.slice(1).map((tick, index) => tick / ticks[index]);
  // Those of a logarithmic scale stay as they are.
  if (steps.length > 1 && steps.every((step) => step > 1.5)) return texts;
  const decimals = Math.max(0, ...texts.map((text) => (text.split(".")[1] || "").length));
  return ticks.map((tick) => tick.toFixed(decimals).replace("-", "−"));
}

/** The same for the powers `10 ** low` to `10 ** high`. */
function logTicks(low, high, count) {
  const span = high - low;
  if (!isNumber(span)) return [];
  if (span < 0.7) return linearTicks(10 ** low, 10 ** high, count).filter((tick) => tick > 0);
  const factors = [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]].find((it) => it.length * span <= count) || [1];
  const every = factors.length > 1 ? 1 : Math.max(1, Math.ceil(span / count));
  const ticks = [];
  for (let exponent = Math.floor(low); exponent <= Math.ceil(high); exponent += 1) {
    if (((exponent % every) + every) % every !== 0) continue;
    for (const factor of factors) {
      const place = exponent + Math.log10(factor);
      if (place >= low - 1e-9 && place <= high + 1e-9) ticks.push(Number(`${factor}e${exponent}`));
    }
  }
  return ticks;
}

/** The middles between coordinates, and as far beyond the first and the last: the borders of cells. */
function borders(coordinates) {
  const last = coordinates.length - 1;
  if (last === 0) return [coordinates[0] - 0.5, coordinates[0] + 0.5];
  const middles = coordinates.slice(1).map((value, index) => (value + coordinates[index]) / 2);
  return [2 * coordinates[0] - middles[0], ...middles, 2 * coordinates[last] - middles[last - 1]];
}

/** The index of the last entry of a sorted list that is at most `value`; -1 if there is none. */
function lastAtMost(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The index of the entry of a sorted list that is nearest to `value`. */
function nearest(sorted, value) {
  const left = Math.max(0, lastAtMost(sorted, value));
  return left + 1 < sorted.length && sorted[left + 1] - value < value - sorted[left] ? left + 1 : left;
}
