// Bindings of an object: listed, made and taken away.
import { html } from "../core/view.js";
import { exchangeName, get, path, post, remove } from "../core/api.js";
import { exchangeLabel } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { Empty, Loaded, Panel, Table } from "./bits.js";
import { confirm, note } from "./dialog.js";
import { Form } from "./form.js";
import { EndLink, ExchangeLink } from "./links.js";

const SHOWN = 500;
const kind = (binding) => (binding.destination_type === "queue" ? "q" : "e");
const end = (binding) => (binding.destination_type === "queue" ? binding.destination : exchangeName(binding.destination));
const place = (b) => path`bindings/${b.vhost}/e/${exchangeName(b.source)}/${kind(b)}/${end(b)}`;

/** `side`: which end is shown, "source" or "destination". */
export function Bindings({ from, side, title, empty }) {
  const seen = usePoll((signal) => get(from, {}, { signal }), [from]);
  return html`<${Loaded} from=${seen}>${(all) => html`<${Panel} title=${title} note=${all.length ? `${all.length}` : ""} class="flush">
    ${all.length === 0 ? html`<p class="note pad">${empty}</p>` : html`<${BindingTable} all=${all.slice(0, SHOWN)} side=${side} />`}
    ${all.length > SHOWN && html`<p class="note pad">The first ${SHOWN} of ${all.length}.</p>`}
  </>`}</>`;
}

function BindingTable({ all, side }) {
  return html`<div class="scroll bare" tabindex="0" role="region" aria-label="Bindings"><table>
    <thead><tr><th>${side === "source" ? "From" : "To"}</th><th>Routing key</th><th class="wide">Arguments</th><th></th></tr></thead>
    <tbody>${all.map((binding) => html`<tr key=${binding.source + "\n" + binding.destination_type + binding.destination + "\n" + binding.properties_key}>
      <td class="main">${side === "source" ? html`<${ExchangeLink} vhost=${binding.vhost} name=${binding.source} />` : html`<${EndLink} vhost=${binding.vhost} type=${binding.destination_type} name=${binding.destination} />`}</td>
      <td class="mono">${binding.routing_key === "" ? html`<span class="zero">empty</span>` : binding.routing_key}</td>
      <td class="wide"><${Table} value=${binding.arguments} empty="–" /></td>
      <td class="right">${binding.source !== "" && html`<button class="small quiet-danger" onClick=${() => unbind(binding)}>Unbind</button>`}</td>
    </tr>`)}</tbody></table></div>`;
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
