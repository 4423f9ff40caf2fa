// Who takes messages from a queue.
import { html } from "../core/view.js";
import { plural, span, whole } from "../core/format.js";
import { Badge, Empty, Panel, Table, Yes } from "../ui/bits.js";
import { ChannelLink } from "../ui/links.js";

export function Consumers({ queue }) {
  const all = queue.consumer_details ?? [];
  if (!all.length) {
    return html`<${Empty} title="Nobody consumes" code=${`for method, properties, body in channel.consume(${JSON.stringify(queue.name)}):\n    print(body)\n    channel.basic_ack(method.delivery_tag)`}>${queue.messages_ready > 0 ? `${plural(queue.messages_ready, "message")} wait for somebody.` : "Messages that come will wait for somebody."}</>`;
  }
  return html`<${Panel} title="Consumers" class="flush"><div class="scroll bare" tabindex="0" role="region" aria-label="Consumers"><table>
    <thead><tr><th>Tag</th><th>Channel</th><th>State</th><th>Ack</th><th class="right">Prefetch</th><th class="wide">Timeout</th><th class="wide">Arguments</th></tr></thead>
    <tbody>${all.map((each) => html`<tr key=${each.channel_details.name + each.consumer_tag}>
      <td class="main mono">${each.consumer_tag}${each.exclusive && html` <${Badge}>exclusive</>`}</td>
      <td><${ChannelLink} name=${each.channel_details.name} /></td>
      <td>${each.active ? html`<${Badge} tone="ok">${each.activity_status.replaceAll("_", " ")}</>` : html`<${Badge}>${each.activity_status}</>`}</td>
      <td><${Yes} value=${each.ack_required} /></td>
      <td class="right">${each.prefetch_count ? whole(each.prefetch_count) : "no limit"}</td>
      <td class="wide">${each.consumer_timeout ? span(each.consumer_timeout) : "–"}</td>
      <td class="wide"><${Table} value=${each.arguments} empty="–" /></td>
    </tr>`)}</tbody></table></div></>`;
}
