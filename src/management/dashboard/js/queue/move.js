// Moves messages to another queue or exchange, or dead letters back to where they died.
import { html, useState } from "../core/view.js";
import { get, path, post } from "../core/api.js";
import { plural } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { Panel } from "../ui/bits.js";
import { confirm } from "../ui/dialog.js";
import { Form, number } from "../ui/form.js";

const GOALS = [["origin", "back to where they died (redrive)"], ["queue", "to a queue"], ["exchange", "to an exchange"]];

export function Move({ queue }) {
  const [done, set] = useState(null);
  const at = path`queues/${queue.vhost}/${queue.name}`;
  const known = usePoll(async (signal) => (await get(path`queues/${queue.vhost}`, { page: 1, page_size: 500, columns: "name", disable_stats: "true" }, { signal })).items.map((each) => each.name), [queue.vhost], { every: 0 });
  const fields = [
    { name: "goal", label: "Move", type: "select", options: GOALS, class: "wide-field" },
    { name: "queue", label: "Queue", required: true, suggest: (known.data ?? []).filter((name) => name !== queue.name), when: (said) => said.goal === "queue" },
    { name: "exchange", label: "Exchange", required: true, when: (said) => said.goal === "exchange" },
    { name: "key", label: "Routing key", help: "empty: the one that each message has", when: (said) => said.goal === "exchange" },
    { name: "count", label: "At most", type: "number", min: 1, help: "empty: all that are ready" },
    { name: "filter", label: "Only those with", placeholder: "a text, or header.NAME=VALUE" },
  ];
  return html`<${Panel} title="Move messages" note="a message is there before it is gone here">
    <${Form} class="two" fields=${fields} action="Move…" submit=${(said) => {
      const destination = { origin: "origin", queue: { queue: said.queue }, exchange: { exchange: said.exchange, ...(said.key !== "" && { routing_key: said.key }) } }[said.goal];
      const count = number(said.count);
      const goal = { origin: "back to the queues in which they died", queue: `to the queue ${said.queue}`, exchange: `to the exchange ${said.exchange}` }[said.goal];
      confirm({
        title: "Move messages?", action: "Move",
        body: html`<p>${count === undefined ? `All messages of ${queue.name} that are ready (${plural(queue.messages_ready, "message")})` : `At most ${plural(count, "message")} of ${queue.name}`}${said.filter && html` with <code>${said.filter}</code>`} ${goal}.</p>`,
        run: async () => {
          set(null);
          set(await post(`${at}/move`, { destination, ...(count !== undefined && { count }), ...(said.filter && { filter: said.filter }) }));
          refresh();
        },
      });
    }} />
    ${done && html`<p role="status"><b>${plural(done.moved, "message")} moved.</b>${done.unroutable ? html` ${plural(done.unroutable, "message")} stayed: nothing was bound for them.` : ""}${done.refused ? html` ${plural(done.refused, "message")} stayed: the queue refused them.` : ""}</p>`}
  </>`;
}
