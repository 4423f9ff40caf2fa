// Messages that wait at a delayed exchange, in the order in which they are due.
import { html, useState } from "../core/view.js";
import { exchangeName, get, path, remove } from "../core/api.js";
import { date, plural, span, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { Empty, Loaded, Panel } from "../ui/bits.js";
import { confirm, note } from "../ui/dialog.js";
import { Message } from "../ui/payload.js";

const PAGE = 25, LOOKED_AT_BODY = 4096;

export function Scheduled({ exchange }) {
  const [pages, turn] = useState([undefined]);
  const after = pages.at(-1);
  const at = `${path`exchanges/${exchange.vhost}/${exchangeName(exchange.name)}`}/scheduled`;
  const seen = usePoll((signal) => get(at, { count: PAGE, after, encoding: "auto", truncate: LOOKED_AT_BODY }, { signal }), [at, after]);
  const cancel = (message) => confirm({
    title: "Cancel this message?", danger: true, action: "Cancel message",
    body: html`<p>It would be routed at ${date(message.due_at)} with the key <code>${message.routing_key || "(empty)"}</code>.</p><p class="losses">It is thrown away.</p>`,
    run: async () => {
      await remove(`${at}/${path`${message.id}`}`);
      note("Cancelled.");
      seen.reload();
    },
  });
  return html`<${Loaded} from=${seen}>${({ count, messages, next_after: next }) => html`<${Panel} title="Scheduled messages" note=${plural(count, "message") + (count === 1 ? " waits" : " wait")}>
    ${messages.length === 0 && html`<${Empty} title="Nothing waits here" code=${`channel.basic_publish(${JSON.stringify(exchange.name)}, "key", b"later",\n    pika.BasicProperties(delivery_mode=2, headers={"x-delay": 60_000}))`}>A message with <code>x-delay</code> waits here so many milliseconds:</>`}
    ${messages.map((message) => html`<${Message} key=${message.id} message=${message} head=${html`<span class="num" title=${date(message.due_at)}>in ${span(Math.max(0, message.due_at - Date.now()))}</span>`} extra=${[["Due", date(message.due_at)], ["Cancel", html`<button class="small quiet-danger" onClick=${() => cancel(message)}>Cancel</button>`]]} />`)}
    ${(pages.length > 1 || next) && html`<div class="pages"><button disabled=${pages.length === 1} onClick=${() => turn(pages.slice(0, -1))}>Sooner</button><span class="note">${whole(count)} in all</span><button disabled=${!next} onClick=${() => turn([...pages, next])}>Later</button></div>`}
  </>`}</>`;
}
