// Publishes one message by hand.
import { html } from "../core/view.js";
import { exchangeName, path, post } from "../core/api.js";
import { refresh } from "../core/poll.js";
import { note } from "./dialog.js";
import { Form } from "./form.js";

const PROPERTIES = ["content_type", "priority", "expiration", "message_id", "correlation_id", "reply_to", "type", "app_id"];
const NUMBERS = new Set(["priority"]);

/** `to`: the queue that is meant, if it is published to one; its exchange is the default one. `delays`: the exchange can keep messages back. */
export function Publish({ vhost, exchange, to, delays }) {
  const fields = [
    { name: "key", label: "Routing key", value: to ?? "", when: () => to === undefined },
    { name: "payload", label: "Payload", type: "area", rows: 6, class: "wide-field" },
    { name: "encoding", label: "Payload is", type: "select", options: [["string", "text"], ["base64", "base64 of bytes"]] },
    { name: "persistent", label: "Persistent: kept on disk", type: "check", value: true },
    { name: "delay", label: "Delay in ms (x-delay)", type: "number", min: 0, when: () => delays, help: "after so long it is routed" },
    { name: "headers", label: "Headers", type: "arguments" },
    { name: "more", label: "More properties", type: "check" },
    ...PROPERTIES.map((name) => ({ name, label: name.replaceAll("_", " "), type: NUMBERS.has(name) ? "number" : "text", when: (said) => said.more })),
  ];
  return html`<${Form} class="two" fields=${fields} action="Publish" submit=${async (said) => {
    const properties = { delivery_mode: said.persistent ? 2 : 1, headers: { ...said.headers, ...(said.delay !== "" && said.delay !== undefined && { "x-delay": Number(said.delay) }) } };
    for (const name of PROPERTIES) if (said[name] !== "") properties[name] = NUMBERS.has(name) ? Number(said[name]) : said[name];
    const { routed } = await post(path`exchanges/${vhost}/${exchangeName(exchange)}/publish`, { routing_key: to ?? said.key, payload: said.payload, payload_encoding: said.encoding, properties });
    note(routed ? "Published." : "Published, but no queue is bound for it: the message went nowhere.", routed ? "ok" : "bad");
    refresh();
  }} />`;
}
