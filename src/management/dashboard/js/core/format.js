// Numbers, bytes, times and names as people read them.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const whole = (n) => (n === undefined || n === null ? "–" : WHOLE.format(n));
export const short = (n) => (n === undefined || n === null ? "–" : Math.abs(n) < 100_000 ? WHOLE.format(n) : SHORT.format(n));

/** Messages per second. */
export function rate(n) {
  if (n === undefined || n === null) return "–";
  if (n === 0) return "0";
  const size = Math.abs(n);
  if (size < 0.1) return "<0.1";
  return size < 10 ? n.toFixed(1) : size < 100_000 ? WHOLE.format(n) : SHORT.format(n);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
export function bytes(n) {
  if (n === undefined || n === null || Number.isNaN(Number(n))) return "–";
  let unit = 0;
  let value = Number(n);
  while (value >= 1024 && unit < UNITS.length - 1) { value /= 1024; unit += 1; }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A span of milliseconds. */
export function span(ms) {
  if (ms === undefined || ms === null) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  if (d) return h ? `${d} d ${h} h` : `${d} d`;
  if (h) return m ? `${h} h ${m} min` : `${h} h`;
  if (m) return s ? `${m} min ${s} s` : `${m} min`;
  return `${s} s`;
}

/** The same in its largest unit. */
export const coarse = (ms) => span(ms).split(" ").slice(0, 2).join(" ");

export const date = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

/** A value of a table or of JSON in one line. */
export const inline = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export const exchangeLabel = (name) => name || "(default)";
export const plural = (n, one, many = one + "s") => `${whole(n)} ${n === 1 ? one : many}`;
