// Numbers over time, drawn from the samples that the broker keeps.
import { html, useEffect, useRef, useState } from "../core/view.js";
import { range, theme, useStore } from "../core/store.js";

/** How far back, and how far apart: [seconds, step, label]. */
const RANGES = [[60, 5, "1 min"], [600, 5, "10 min"], [3600, 60, "1 h"], [28800, 600, "8 h"], [86400, 1800, "24 h"]];

/** The query that asks for samples of so many seconds. */
export function ages(seconds, ...kinds) {
  const [age, step] = RANGES.find(([each]) => each === seconds) ?? RANGES[1];
  return Object.fromEntries(kinds.flatMap((kind) => [[`${kind}_age`, age], [`${kind}_incr`, step]]));
}

/** What something was, oldest first: [[seconds], [values]]. */
export function levels(details) {
  const samples = [...(details?.samples ?? [])].reverse();
  return [samples.map((each) => each.timestamp / 1000), samples.map((each) => each.sample)];
}

/** How fast something counted: per second, between samples. The oldest one may be of long before: it is left out. */
export function rates(details) {
  const [at, values] = levels(details).map((list) => (list.length > 3 ? list.slice(1) : list));
  return [at.slice(1), values.slice(1).map((value, i) => (at[i + 1] > at[i] ? Math.max(0, value - values[i]) / (at[i + 1] - at[i]) : 0))];
}

/** The rates of several counters that were sampled together: [times, …values]. */
export const together = (of, all) => all.reduce((data, each, at) => {
  const [times, values] = of(each);
  return at === 0 ? [times, values] : [...data, times.length === data[0].length ? values : data[0].map((_, i) => values[i] ?? null)];
}, [[]]);

let library;
const uplot = () => (library ??= import("../../vendor/uplot.js").then((module) => module.default));

/** `series`: [{label, color}] where color is a CSS variable's name; `data`: [times, …values]. */
export function Chart({ title, unit, series, data, format, height = 180, steps = TENTHS }) {
  const box = useRef(null);
  const plot = useRef(null);
  const latest = useRef(data);
  latest.current = data;
  const look = useStore(theme);
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const change = () => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  useEffect(() => {
    let over = false, watch;
    uplot().then((UPlot) => {
      if (over || !box.current) return;
      plot.current = new UPlot(options(box.current, series, format, height, steps), latest.current, box.current);
      watch = new ResizeObserver(([{ contentRect }]) => plot.current?.setSize({ width: contentRect.width, height: contentRect.height }));
      watch.observe(box.current);
    });
    return () => { over = true; watch?.disconnect(); plot.current?.destroy(); plot.current = null; };
  }, [look, dark, series.map((each) => each.label).join()]);
  useEffect(() => plot.current?.setData(data), [data]);
  const now = series.map(({ label }, at) => `${label} ${format(data[at + 1]?.at(-1))}`).join(", ");
  const flat = !data[0]?.length;
  return html`<figure class="chart">
    <figcaption><span><b>${title}</b>${unit && html` <small>${unit}</small>`}</span><ul>${series.map(({ label, color }, at) => html`<li key=${label}><i class="swatch" style=${{ background: `var(${color})` }}></i>${label} <span class="num">${format(data[at + 1]?.at(-1))}</span></li>`)}</ul></figcaption>
    <div class="plot" ref=${box} role="img" aria-label="${title}: now ${now}" style=${{ minHeight: `${height}px` }}>${flat && html`<span class="note">The first samples come within seconds.</span>`}</div>
  </figure>`;
}

/** How far apart the lines of an axis may be, of one that counts things and of one that counts bytes. */
const TENTHS = [0.1, 0.2, 0.5], WHOLES = [];
for (let power = 0; power < 13; power++) WHOLES.push(10 ** power, 2 * 10 ** power, 5 * 10 ** power);
TENTHS.push(...WHOLES);

export const BYTES = Array.from({ length: 50 }, (_, power) => 2 ** power);

function options(box, series, format, height, steps) {
  const css = (name) => colour(box, name);
  const line = css("--line"), ink = css("--ink-3");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width: box.clientWidth || 300, height, padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "time" } },
    plugins: [tip(series, format)],
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [{ ...axis, size: 22, gap: 4, space: 70, values: (_, at) => at.map((each) => new Date(each * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: at.length > 1 && at[1] - at[0] < 60 ? "2-digit" : undefined })) }, { ...axis, size: 58, space: 34, incrs: steps, values: (_, at) => at.map(format) }],
    series: [{}, ...series.map(({ label, color }) => ({ label, stroke: css(color), width: 1.75, fill: series.length > 2 ? undefined : css(color).replace(/^rgb\((.*)\)$/, "rgba($1, 0.09)"), points: { show: false } }))],
  };
}

/** What a CSS colour variable is at the moment. */
function colour(box, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** The values under the pointer. */
function tip(series, format) {
  let element;
  return { hooks: {
    init(plot) {
      element = document.createElement("div");
      element.className = "chart-tip";
      element.hidden = true;
      plot.over.append(element);
    },
    setCursor(plot) {
      const { idx, left } = plot.cursor;
      element.hidden = idx === null || idx === undefined || left < 0;
      if (element.hidden) return;
      const rows = series.map(({ label }, at) => `${label}  ${format(plot.data[at + 1][idx])}`);
      element.textContent = [new Date(plot.data[0][idx] * 1000).toLocaleTimeString("en-GB"), ...rows].join("\n");
      const right = left > plot.over.clientWidth / 2;
      element.style.left = right ? "" : `${left + 12}px`;
      element.style.right = right ? `${plot.over.clientWidth - left + 12}px` : "";
    },
  } };
}

/** A line so small that it fits beside a number. */
export function Spark({ values, color = "--c1", label }) {
  if (!values || values.length < 2) return html`<span class="spark"></span>`;
  const high = Math.max(...values, 1), wide = 64, tall = 18;
  const points = values.map((value, at) => `${(at / (values.length - 1) * wide).toFixed(1)},${(tall - 1 - value / high * (tall - 2)).toFixed(1)}`).join(" ");
  return html`<svg class="spark" width=${wide} height=${tall} viewBox="0 0 ${wide} ${tall}" role="img" aria-label=${label ?? `between ${Math.min(...values)} and ${Math.max(...values)}`}><polyline points=${points} fill="none" stroke="var(${color})" stroke-width="1.5" /></svg>`;
}

/** How far back charts go; one choice for all pages. */
export function Range() {
  const seconds = useStore(range);
  return html`<label class="inline">Last <select aria-label="How far back charts go" value=${seconds} onChange=${(event) => range.set(Number(event.target.value))}>${RANGES.map(([each, , label]) => html`<option key=${each} value=${each}>${label}</option>`)}</select></label>`;
}

const STATS = [["Published", "publish", "--c1"], ["Confirmed", "confirm", "--c5"], ["Delivered", "deliver_get", "--c2"], ["Acked", "ack", "--c3"], ["Redelivered", "redeliver", "--c6"], ["Unroutable", "return_unroutable", "--c7"]];

/** The rates of `message_stats`; what never happened is not shown. */
export function MessageRates({ stats = {}, format, height }) {
  const shown = STATS.filter(([, key], at) => at === 0 || key === "deliver_get" || key === "ack" || stats[key] > 0);
  return html`<${Chart} title="Message rates" unit="per second" height=${height} format=${format} series=${shown.map(([label, , color]) => ({ label, color }))} data=${together(rates, shown.map(([, key]) => stats[`${key}_details`]))} />`;
}

const DEPTH = [["Ready", "messages_ready", "--c4"], ["Unacked", "messages_unacknowledged", "--c2"]];

/** How many messages there are. */
export function Depth({ of = {}, format, height }) {
  return html`<${Chart} title="Messages" steps=${WHOLES} height=${height} format=${format} series=${DEPTH.map(([label, , color]) => ({ label, color }))} data=${together(levels, DEPTH.map(([, key]) => of[`${key}_details`]))} />`;
}
