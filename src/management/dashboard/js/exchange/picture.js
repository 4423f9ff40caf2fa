// The bindings of one exchange as a picture: what leads here on the left, where it leads on the right.
import { html } from "../core/view.js";
import { exchangeName, get, path } from "../core/api.js";
import { exchangeLabel } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Loaded } from "../ui/bits.js";

/** Bindings that are asked for, of which the ends are drawn. */
const ASKED = { page: 1, page_size: 250, columns: "source,destination,destination_type,routing_key" };
const MOST = 24, ROW = 34, BOX = 220, TEXT = 30;
/** Where the screen is narrow, exchange and queues stand closer, and keys are shorter. */
const SIZES = { wide: { wide: 880, box: BOX, key: 24 }, narrow: { wide: 340, box: 126, key: 9 } };
const narrow = matchMedia("(max-width: 760px)");

/** As much of a text as fits where so many letters do; pictures and ideographs take the room of two. */
function cut(text, most = TEXT) {
  let room = most, shown = "";
  for (const letter of text) {
    room -= WIDE_LETTER.test(letter) ? 2.2 : 1;
    if (room < 0) return `${shown}…`;
    shown += letter;
  }
  return shown;
}
const WIDE_LETTER = /\p{Extended_Pictographic}|[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/u;

export function Picture({ vhost, exchange }) {
  const at = path`exchanges/${vhost}/${exchangeName(exchange.name)}/bindings`;
  const seen = usePoll(async (signal) => {
    const [to, from, policy] = await Promise.all([get(`${at}/source`, ASKED, { signal }), get(`${at}/destination`, ASKED, { signal }), rules(vhost, exchange, signal)]);
    return { alternate: exchange.arguments?.["alternate-exchange"] ?? policy["alternate-exchange"], to: grouped(to.items, (b) => `${b.destination_type}\n${b.destination}`), from: grouped(from.items, (b) => `exchange\n${b.source}`), whole: to.total_count <= to.item_count && from.total_count <= from.item_count };
  }, [at, exchange.policy]);
  return html`<${Loaded} from=${seen}>${(seen) => html`<${Drawing} vhost=${vhost} exchange=${exchange} ...${seen} />`}</>`;
}

/** What the exchange's policy says, if there is one and the user may see it. */
async function rules(vhost, { policy }, signal) {
  if (!policy) return {};
  return (await get(path`policies/${vhost}/${policy}`, {}, { signal }).catch(() => ({}))).definition ?? {};
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

function Drawing({ vhost, exchange, to, from, alternate, whole }) {
  const right = [...to.slice(0, MOST), ...(alternate ? [{ type: "exchange", name: alternate, keys: ["if nothing fits"], other: true }] : [])];
  const left = from.slice(0, MOST);
  if (!right.length && !left.length) return html`<p class="note">Nothing is bound to it, and it is bound to nothing.</p>`;
  const { wide: WIDE, box: BOX, key } = SIZES[narrow.matches && !left.length ? "narrow" : "wide"];
  const tall = Math.max(left.length, right.length, 1) * ROW + 12;
  const middle = tall / 2;
  const y = (list, at) => (tall - list.length * ROW) / 2 + at * ROW + ROW / 2;
  const center = left.length ? WIDE / 2 - BOX / 2 : 0;
  return html`<div class="scroll bare" tabindex="0" role="region" aria-label="Bindings as a picture"><svg class="graph" viewBox="0 0 ${WIDE} ${tall}" width=${WIDE} height=${tall} role="group" aria-label="Bindings of ${exchangeLabel(exchange.name)}">
    ${left.map((end, at) => html`<${Edge} key=${"l" + end.name} x1=${BOX} y1=${y(left, at)} x2=${center} y2=${middle} keys=${end.keys} most=${key} />`)}
    ${right.map((end, at) => html`<${Edge} key=${"r" + end.type + end.name} x1=${center + BOX} y1=${middle} x2=${WIDE - BOX} y2=${y(right, at)} keys=${end.keys} dashed=${end.other} most=${key} label />`)}
    <${Box} width=${BOX} x=${center} y=${middle} kind="exchange here" name=${exchangeLabel(exchange.name)} />
    ${left.map((end, at) => html`<${Box} key=${"bl" + end.name} x=${0} y=${y(left, at)} kind="exchange" name=${exchangeLabel(end.name)} href=${link("exchanges", vhost, exchangeName(end.name))} />`)}
    ${right.map((end, at) => html`<${Box} key=${"br" + end.type + end.name} x=${WIDE - BOX} y=${y(right, at)} kind=${end.type} name=${end.name} href=${end.type === "queue" ? link("queues", vhost, end.name) : link("exchanges", vhost, exchangeName(end.name))} />`)}
  </svg></div>${to.length > MOST || from.length > MOST || !whole ? html`<p class="note">The first ${MOST} are drawn.</p>` : ""}`;
}

export function Box({ x, y, kind, name, href, width = BOX, sub, title }) {
  const inner = html`<title>${title ? `${name}\n${title}` : name}</title><rect x=${x} y=${y - 13} width=${width} height="26" rx=${kind.startsWith("exchange") ? 13 : 5} /><text x=${x + 12} y=${y + 4}>${cut(name, Math.floor((width - (sub ? 24 + 6.2 * sub.length : 20)) / 7.1))}</text>${sub && html`<text class="sub" x=${x + width - 10} y=${y + 4} text-anchor="end">${sub}</text>`}`;
  return href ? html`<a class="node ${kind}" href=${href}>${inner}</a>` : html`<g class="node ${kind}">${inner}</g>`;
}

function Edge({ x1, y1, x2, y2, keys, dashed, label, most }) {
  const bend = (x2 - x1) / 2;
  const text = keys.length === 1 ? keys[0] : `${keys.length} bindings`;
  return html`<g class="edge ${dashed ? "dashed" : ""}"><title>${keys.slice(0, 30).join("\n")}</title><path d="M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}" />${text && html`<text x=${label ? x2 - 8 : x1 + 8} y=${(label ? y2 : y1) - 5} text-anchor=${label ? "end" : "start"}>${cut(text, most)}</text>`}</g>`;
}
