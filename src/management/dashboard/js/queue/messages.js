// What is in a queue: looked at without touching it, taken out, or moved elsewhere.
import { html, useState } from "../core/view.js";
import { get, path, post } from "../core/api.js";
import { date, plural, span, whole } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { link, setQuery, useRoute } from "../core/route.js";
import { Badge, Empty, Loaded, Panel } from "../ui/bits.js";
import { Form, number } from "../ui/form.js";
import { Message, MOST } from "../ui/payload.js";
import { Move } from "./move.js";

const MODES = [["ack_requeue_true", "put them back"], ["ack_requeue_false", "take them out (ack)"], ["reject_requeue_false", "reject them (to the dead-letter exchange, if there is one)"]];
const VIEWS = [["peek", "Look"], ["get", "Get"], ["move", "Move"]];

export function Messages({ queue }) {
  const { query } = useRoute();
  const view = query.do ?? "peek";
  const to = (id) => link("queues", queue.vhost, queue.name, { tab: "messages", do: id === "peek" ? undefined : id });
  return html`<nav class="segments links" aria-label="What to do">${VIEWS.map(([id, label]) => html`<a class="button" key=${id} href=${to(id)} aria-current=${view === id ? "page" : undefined}>${label}</a>`)}</nav>
    ${view === "peek" && html`<${Peek} queue=${queue} />`}${view === "get" && html`<${Get} queue=${queue} />`}${view === "move" && html`<${Move} queue=${queue} />`}`;
}

const PAGE = 20;
const LOOKED_AT_BODY = 4096;

/** Messages in their order; nothing is taken out, and no message counts as delivered. */
function Peek({ queue }) {
  const { query } = useRoute();
  const [text, type] = useState(query.filter ?? "");
  const [pages, turn] = useState([0]);
  const offset = pages.at(-1);
  const at = path`queues/${queue.vhost}/${queue.name}/peek`;
  const seen = usePoll((signal) => get(at, { count: PAGE, offset, filter: query.filter, encoding: "auto", truncate: LOOKED_AT_BODY }, { signal }), [at, offset, query.filter], { every: 0 });
  const search = (event) => {
    event.preventDefault();
    turn([0]);
    setQuery({ filter: text || undefined });
  };
  return html`<${Panel} title="Messages" note="only looked at; they stay where they are">
    <form class="filter long" role="search" onSubmit=${search}><input type="search" data-filter value=${text} onInput=${(event) => type(event.target.value)} aria-label="Find messages" placeholder="A text in body, key or properties; or header.NAME=VALUE" /><button type="submit">Find</button></form>
    <${Loaded} from=${seen}>${({ messages, next_offset: next, scanned }) => html`
      ${messages.length === 0 && html`<${Empty} title=${query.filter ? "No message fits" : "The queue is empty"}>${query.filter ? `${plural(scanned, "message")} looked through.` : ""}</>`}
      ${messages.map((message) => html`<${Message} key=${message.position} message=${message} head=${html`<span class="num zero" title="position">${whole(message.position)}</span>${message.state !== "ready" && html`<${Badge} tone=${message.state === "delayed" ? "warn" : "accent"}>${message.state === "delayed" ? "waits for its retry" : message.state}</>`}`} extra=${facts(message)} at=${at} />`)}
      ${(pages.length > 1 || next !== null) && html`<div class="pages"><button disabled=${pages.length === 1} onClick=${() => turn(pages.slice(0, -1))}>Earlier</button><span class="note">${plural(scanned, "message")} looked through</span><button disabled=${next === null} onClick=${() => turn([...pages, next])}>Later</button></div>`}`}</>
  </>`;
}

const facts = (message) => [
  ["Tried again", message.retry_at ? html`<span title=${date(message.retry_at)}>in ${span(Math.max(0, message.retry_at - Date.now()))}</span>` : undefined],
  ["Came back", message.delivery_count ? plural(message.delivery_count, "time") : undefined],
  ["Expires", message.expires_at ? html`<span title=${date(message.expires_at)}>in ${span(Math.max(0, message.expires_at - Date.now()))}</span>` : undefined],
];

function Get({ queue }) {
  const [taken, set] = useState(null);
  const at = path`queues/${queue.vhost}/${queue.name}`;
  return html`<${Panel} title="Get messages" note="from the head of the queue, as a consumer would">
    <${Form} class="two" fields=${[{ name: "count", label: "How many", type: "number", value: "10", min: 1, max: 1000 }, { name: "ackmode", label: "And then", type: "select", options: MODES, help: "whatever is chosen, they count as delivered" }]} action="Get" submit=${async (said) => {
      set(await post(`${at}/get`, { count: number(said.count) ?? 1, ackmode: said.ackmode, encoding: "auto", truncate: MOST }));
      refresh();
    }} />
    ${taken && (taken.length ? html`<p class="note">${plural(taken.length, "message")}</p>${taken.map((message, index) => html`<${Message} key=${index} message=${message} open=${taken.length === 1} head=${html`<span class="num zero">${index + 1}</span>`} />`)}` : html`<${Empty} title="The queue has no message that is ready." />`)}
  </>`;
}
