// Who is connected, from where, and how much flows.
import { html } from "../core/view.js";
import { path, remove } from "../core/api.js";
import { plural } from "../core/format.js";
import { refresh } from "../core/poll.js";
import { useRoute } from "../core/route.js";
import { Badge, Bytes, Empty, Head, Num, State, When } from "../ui/bits.js";
import { confirm, note } from "../ui/dialog.js";
import { ConnectionLink } from "../ui/links.js";
import { List } from "../ui/list.js";

const flow = (id, label, key) => ({ id, label, num: true, sort: `${key}_details.rate`, needs: [`${key}_details.rate`, key], title: "Bytes per second", show: (each) => html`<${Bytes} value=${Math.round(each[`${key}_details`]?.rate ?? 0)} />` });

function Client({ said }) {
  const text = [said?.product, said?.version].filter((each) => typeof each === "string").join(" ");
  return html`<span class="clip" title=${text}>${text || "–"}</span>`;
}

const COLUMNS = [
  { id: "name", label: "Connection", sort: "name", always: true, needs: ["name", "user_provided_name"], show: (each) => html`<${ConnectionLink} name=${each.name} label=${each.user_provided_name ?? each.name} sub=${each.user_provided_name && each.name} />` },
  { id: "user", label: "User", sort: "user" },
  { id: "vhost", label: "Vhost", sort: "vhost", at: "wide" },
  { id: "state", label: "State", sort: "state", show: (each) => html`<${State} state=${each.state} />` },
  { id: "tls", label: "TLS", sort: "ssl", needs: ["ssl", "ssl_protocol"], at: "wide", show: (each) => (each.ssl ? html`<${Badge} tone="ok" title=${each.ssl_protocol}>TLS</>` : html`<span class="zero">–</span>`) },
  { id: "channels", label: "Channels", num: true, sort: "channels", show: (each) => html`<${Num} value=${each.channels} />` },
  flow("received", "Received/s", "recv_oct"),
  flow("sent", "Sent/s", "send_oct"),
  { id: "since", label: "Connected", sort: "connected_at", needs: ["connected_at"], at: "wide", show: (each) => html`<${When} at=${each.connected_at} />` },
  { id: "client", label: "Client", at: "wide", needs: ["client_properties"], show: ({ client_properties: said }) => html`<${Client} said=${said} />` },
  { id: "protocol", label: "Protocol", sort: "protocol", off: true },
  { id: "heartbeat", label: "Heartbeat", num: true, sort: "timeout", off: true, needs: ["timeout"], show: (each) => `${each.timeout} s` },
  { id: "waiting", label: "Not yet sent", num: true, sort: "send_pend", off: true, needs: ["send_pend"], title: "Bytes that wait for the client to read", show: (each) => html`<${Bytes} value=${each.send_pend} />` },
];

/** Asks, then closes connections, with a reason that the clients are told. */
export function closeAll(rows, done = () => {}) {
  let reason = "Closed by an operator";
  confirm({
    title: rows.length === 1 ? "Close this connection?" : `Close ${plural(rows.length, "connection")}?`, danger: true, action: "Close",
    body: html`<ul class="names">${rows.slice(0, 12).map((each) => html`<li class="mono" key=${each.name}>${each.user_provided_name ?? each.name}</li>`)}${rows.length > 12 && html`<li>and ${rows.length - 12} more</li>`}</ul><p>Clients usually connect again by themselves. What they have not acknowledged goes back to its queues; their exclusive queues are deleted.</p>
      <label class="field"><span>Reason, which the client is told</span><input defaultValue=${reason} maxlength="200" onInput=${(event) => { reason = event.target.value; }} /></label>`,
    run: async () => {
      // A header's value has to be plain text.
      const headers = { "x-reason": reason.replace(/[^\x20-\x7e]/g, "?") };
      for (const each of rows) await remove(path`connections/${each.name}`, {}, headers);
      note(`Closed ${plural(rows.length, "connection")}.`);
      done();
      refresh();
    },
  });
}

export default function Connections() {
  const { query } = useRoute();
  return html`<${Head} title="Connections" />
    <${List} from=${query.vhost === undefined ? "connections" : path`vhosts/${query.vhost}/connections`} columns=${COLUMNS} order=${["since", true]} rowKey=${(each) => each.name} placeholder="Filter connections by name"
      pick=${(rows, done) => html`<button class="quiet-danger" onClick=${() => closeAll(rows, done)}>Close</button>`}
      empty=${html`<${Empty} title="Nobody is connected" code=${`import pika\nconnection = pika.BlockingConnection(pika.ConnectionParameters("${location.hostname}"))`}>Clients connect with AMQP 0-9-1:</>`} />`;
}
