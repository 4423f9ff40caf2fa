// What can be done with a queue as a whole.
import { html } from "../core/view.js";
import { path, put, remove } from "../core/api.js";
import { plural } from "../core/format.js";
import { refresh } from "../core/poll.js";
import { go } from "../core/route.js";
import { confirm, note } from "../ui/dialog.js";

export function Actions({ queue }) {
  const at = path`queues/${queue.vhost}/${queue.name}`;
  const paused = queue.state === "paused" || queue.paused === true;
  return html`
    ${paused
      ? html`<button class="primary" onClick=${() => pause(queue, at, false)}>Resume</button>`
      : html`<button onClick=${() => pause(queue, at, true)} title="Consumers get nothing until it is resumed; publishers go on">Pause</button>`}
    <button onClick=${() => purge(queue, at)}>Purge</button>
    <button class="quiet-danger" onClick=${() => drop(queue, at)}>Delete</button>`;
}

function pause(queue, at, on) {
  const run = async () => {
    await put(`${at}/${on ? "pause" : "resume"}`);
    note(on ? `${queue.name} is paused.` : `${queue.name} goes on.`);
    refresh();
  };
  if (!on) return run().catch((error) => note(error.message, "bad"));
  return confirm({
    title: "Pause this queue?", action: "Pause", run,
    body: html`<p>The ${plural(queue.consumers, "consumer")} of <b>${queue.name}</b> ${queue.consumers === 1 ? "gets" : "get"} nothing until it is resumed. Messages still come in and are kept.</p>`,
  });
}

function purge(queue, at) {
  confirm({
    title: "Purge this queue?", danger: true, action: "Purge",
    body: html`<p>All messages of <b>${queue.name}</b> in vhost <b>${queue.vhost}</b> that are ready:</p><p class="losses">${plural(queue.messages_ready, "message")} are thrown away. ${plural(queue.messages_unacknowledged, "message")} that consumers have stay.</p>`,
    run: async () => {
      await remove(`${at}/contents`);
      note(`${queue.name} is purged.`);
      refresh();
    },
  });
}

function drop(queue, at) {
  confirm({
    title: "Delete this queue?", danger: true, action: "Delete queue", typed: queue.messages > 0 || queue.consumers > 0 ? queue.name : undefined,
    body: html`<p>The queue <b>${queue.name}</b> in vhost <b>${queue.vhost}</b>, and with it:</p><ul class="losses"><li>${plural(queue.messages, "message")}</li><li>${plural(queue.consumers, "consumer")}, which ${queue.consumers === 1 ? "is" : "are"} cancelled</li><li>all its bindings</li></ul>`,
    run: async () => {
      await remove(at);
      note(`${queue.name} is deleted.`);
      go("queues");
    },
  });
}
