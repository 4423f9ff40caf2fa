// The bindings of one exchange as a picture: what leads here on the left, where it leads on the right.
import { html } from "../core/view.js";
import { exchangeName, get, path } from "../core/api.js";
import { exchangeLabel } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Loaded } from "../ui/bits.js";

const MOST = 24, ROW = 34, WIDE = 880, BOX = 220, TEXT = 30;
const cut = (text, most = TEXT) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export function Picture({ vhost, exchange }) {
  const at = path`exchanges/${vhost}/${exchangeName(exchange.name)}/bindings`;
  const seen = usePoll(async (signal) => {
    const [to, from] = await Promise.all([get(`${at}/source`, {}, { signal }), get(`${at}/destination`, {}, { signal })]);
    return { to: grouped(to, (b) => `${b.destination_type}\n${b.destination}`), from: grouped(from, (b) => `exchange\n${b.source}`) };
  }, [at]);
  return html`<${Loaded} from=${seen}>${({ to, from }) => html`<${Drawing} vhost=${vhost} exchange=${exchange} to=${to} from=${from} />`}</>`;
}

/** One line for each other end, with all keys that lead there. */
function grouped(bindings, ofWhat) {
  const ends = new Map();
  for (const binding of bindings) {
    const id = ofWhat(binding);
    const [type, name] = id.split(/\n(.*)/s);
    if (!ends.has(id)) ends.set(id, { type, name, keys: [] });
    ends.get(id).keys.push(binding.routing_key);
  }
  return [...ends.values()];
}

function Drawing({ vhost, exchange, to, from }) {
  const alternate = exchange.arguments?.["alternate-exchange"];
  const right = [...to.slice(0, MOST), ...(alternate ? [{ type: "exchange", name: alternate, keys: ["if nothing fits"], other: true }] : [])];
  const left = from.slice(0, MOST);
  if (!right.length && !left.length) return html`<p class="note">Nothing is bound to it, and it is bound to nothing.</p>`;
  const tall = Math.max(left.length, right.length, 1) * ROW + 12;
  const middle = tall / 2;
  const y = (list, at) => (tall - list.length * ROW) / 2 + at * ROW + ROW / 2;
  const center = left.length ? WIDE / 2 - BOX / 2 : 0;
  return html`<div class="scroll bare" tabindex="0" role="region" aria-label="Bindings as a picture"><svg class="graph" viewBox="0 0 ${WIDE} ${tall}" width=${WIDE} height=${tall} role="group" aria-label="Bindings of ${exchangeLabel(exchange.name)}">
    ${left.map((end, at) => html`<${Edge} key=${"l" + end.name} x1=${BOX} y1=${y(left, at)} x2=${center} y2=${middle} keys=${end.keys} />`)}
    ${right.map((end, at) => html`<${Edge} key=${"r" + end.type + end.name} x1=${center + BOX} y1=${middle} x2=${WIDE - BOX} y2=${y(right, at)} keys=${end.keys} dashed=${end.other} label />`)}
    <${Box} x=${center} y=${middle} kind="exchange here" name=${exchangeLabel(exchange.name)} />
    ${left.map((end, at) => html`<${Box} key=${"bl" + end.name} x=${0} y=${y(left, at)} kind="exchange" name=${exchangeLabel(end.name)} href=${link("exchanges", vhost, exchangeName(end.name))} />`)}
    ${right.map((end, at) => html`<${Box} key=${"br" + end.type + end.name} x=${WIDE - BOX} y=${y(right, at)} kind=${end.type} name=${end.name} href=${end.type === "queue" ? link("queues", vhost, end.name) : link("exchanges", vhost, exchangeName(end.name))} />`)}
  </svg></div>${to.length > MOST || from.length > MOST ? html`<p class="note">The first ${MOST} of ${Math.max(to.length, from.length)}; all are listed below.</p>` : ""}`;
}

export function Box({ x, y, kind, name, href, width = BOX, sub }) {
  const inner = html`<title>${name}</title><rect x=${x} y=${y - 13} width=${width} height="26" rx=${kind.startsWith("exchange") ? 13 : 5} /><text x=${x + 12} y=${y + 4}>${cut(name, Math.floor((width - (sub ? 90 : 20)) / 7.1))}</text>${sub && html`<text class="sub" x=${x + width - 10} y=${y + 4} text-anchor="end">${sub}</text>`}`;
  return href ? html`<a class="node ${kind}" href=${href}>${inner}</a>` : html`<g class="node ${kind}">${inner}</g>`;
}

function Edge({ x1, y1, x2, y2, keys, dashed, label }) {
  const bend = (x2 - x1) / 2;
  const text = keys.length === 1 ? keys[0] : `${keys.length} bindings`;
  return html`<g class="edge ${dashed ? "dashed" : ""}"><title>${keys.slice(0, 30).join("\n")}</title><path d="M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}" />${text && html`<text x=${label ? x2 - 8 : x1 + 8} y=${(label ? y2 : y1) - 5} text-anchor=${label ? "end" : "start"}>${cut(text, 24)}</text>`}</g>`;
}
