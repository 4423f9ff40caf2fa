// Bindings of an object: listed, made and taken away.
import { html } from "../core/view.js";
import { exchangeName, get, path, post, remove } from "../core/api.js";
import { exchangeLabel, whole } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { Loaded, Panel, Table } from "./bits.js";
import { confirm, note } from "./dialog.js";
import { Form } from "./form.js";
import { EndLink, ExchangeLink } from "./links.js";
import { Rows } from "./rows.js";

const SHOWN = 250;
const kind = (binding) => (binding.destination_type === "queue" ? "q" : "e");
const end = (binding) => (binding.destination_type === "queue" ? binding.destination : exchangeName(binding.destination));
const place = (b) => path`bindings/${b.vhost}/e/${exchangeName(b.source)}/${kind(b)}/${end(b)}`;

/** `side`: which end is shown, "source" or "destination". */
export function Bindings({ from, side, title, empty }) {
  const seen = usePoll((signal) => get(from, { page: 1, page_size: SHOWN }, { signal }), [from]);
  return html`<${Loaded} from=${seen}>${({ items, total_count: count }) => html`<${Panel} title=${title} note=${count ? whole(count) : ""} class="flush">
    ${count === 0 ? html`<p class="note pad">${empty}</p>` : html`<${BindingTable} all=${items} side=${side} />`}
    ${count > SHOWN && html`<p class="note pad">The first ${SHOWN} of ${whole(count)}.</p>`}
  </>`}</>`;
}

const bindingKey = (binding) => `${binding.source}\n${binding.destination_type}${binding.destination}\n${binding.properties_key}`;

function BindingTable({ all, side }) {
  const other = side === "source" ? { label: "From", show: (binding) => html`<${ExchangeLink} vhost=${binding.vhost} name=${binding.source} />` } : { label: "To", show: (binding) => html`<${EndLink} vhost=${binding.vhost} type=${binding.destination_type} name=${binding.destination} />` };
  return html`<${Rows} bare label="Bindings" rows=${all} rowKey=${bindingKey} columns=${[
    { id: "other", always: true, ...other },
    { id: "key", label: "Routing key", mono: true, show: ({ routing_key: key }) => (key === "" ? html`<span class="zero">empty</span>` : key) },
    { id: "arguments", label: "Arguments", at: "wide", show: (binding) => html`<${Table} value=${binding.arguments} empty="–" />` },
    { id: "unbind", label: "", num: true, show: (binding) => binding.source !== "" && html`<button class="small quiet-danger" onClick=${() => unbind(binding)}>Unbind</button>` },
  ]} />`;
}

function unbind(binding) {
  confirm({
    title: "Unbind?", danger: true, action: "Unbind",
    body: html`<p>Messages of <b>${exchangeLabel(binding.source)}</b> with the key <code>${binding.routing_key || "(empty)"}</code> no longer reach the ${binding.destination_type} <b>${exchangeLabel(binding.destination)}</b> by this binding.</p>`,
    run: async () => {
      await remove(`${place(binding)}/${path`${binding.properties_key}`}`);
      note("Unbound.");
      refresh();
    },
  });
}

/** Binds `source` to something, or something to `destination`: {type, name}. */
export function Bind({ vhost, source, destination }) {
  const known = usePoll(async (signal) => {
    const names = (list) => list.items.map((each) => each.name).filter(Boolean);
    const query = { page: 1, page_size: 500, columns: "name", disable_stats: "true" };
    const [exchanges, queues] = await Promise.all([get(path`exchanges/${vhost}`, query, { signal }), source === undefined ? null : get(path`queues/${vhost}`, query, { signal })]);
    return { exchanges: names(exchanges), queues: queues ? names(queues) : [] };
  }, [vhost], { every: 0 });
  const { exchanges = [], queues = [] } = known.data ?? {};
  const fields = [
    { name: "type", label: "To a", type: "select", options: ["queue", "exchange"], when: () => source !== undefined },
    { name: "other", label: source === undefined ? "From exchange" : "Called", required: true, suggest: source === undefined ? exchanges : [...queues, ...exchanges].slice(0, 500) },
    { name: "key", label: "Routing key", help: "topic exchanges: * is a word, # any number of words" },
    { name: "arguments", label: "Arguments", type: "arguments" },
  ];
  return html`<${Form} class="two" fields=${fields} action="Bind" submit=${async (said) => {
    const binding = source === undefined ? { vhost, source: said.other, destination: destination.name, destination_type: destination.type } : { vhost, source, destination: said.other, destination_type: said.type };
    await post(place(binding), { routing_key: said.key, arguments: said.arguments });
    note("Bound.");
    refresh();
    return "reset";
  }} />`;
}
