// What of an object's numbers is about which other one: the busiest first.
import { html } from "../core/view.js";
import { rate, whole } from "../core/format.js";
import { Panel } from "./bits.js";
import { ChannelLink, ExchangeLink, QueueLink } from "./links.js";
import { Rows } from "./rows.js";

const MOST = 50;

const about = (part) =>
  part.exchange ? html`<${ExchangeLink} ...${part.exchange} />` : part.queue ? html`<${QueueLink} ...${part.queue} />` : html`<${ChannelLink} name=${part.channel_details.name} />`;
const key = (part) => (part.exchange ?? part.queue ?? part.channel_details).name;
const speed = (part, what) => part.stats[`${what}_details`]?.rate ?? 0;

/** `counts`: [key of the numbers, what they are called], the one that says how busy it is first. */
export function Parts({ title, note, label, list = [], counts }) {
  const [[main]] = counts;
  const busiest = [...list].sort((a, b) => speed(b, main) - speed(a, main) || b.stats[main] - a.stats[main]);
  const columns = [
    { id: "about", label, always: true, show: about },
    { id: "rate", label: "Per second", num: true, show: (part) => rate(speed(part, main)) },
    ...counts.map(([what, called]) => ({ id: what, label: called, num: true, show: (part) => whole(part.stats[what] ?? 0) })),
  ];
  return html`<${Panel} title=${title} note=${note} class="flush">${busiest.length
    ? html`<${Rows} bare label=${title} rows=${busiest.slice(0, MOST)} columns=${columns} rowKey=${key} />${busiest.length > MOST && html`<p class="note pad">And ${whole(busiest.length - MOST)} more, less busy ones.</p>`}`
    : html`<p class="note pad">Nothing so far.</p>`}</>`;
}

export const INCOMING = [["publish", "Published"]];
export const PUBLISHES = [["publish", "Published"], ["confirm", "Confirmed"], ["return_unroutable", "Returned"], ["drop_unroutable", "Dropped"]];
export const DELIVERIES = [["deliver_get", "Delivered"], ["ack", "Acked"], ["redeliver", "Redelivered"]];
