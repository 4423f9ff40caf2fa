// Limits of a user or a vhost.
import { html } from "../core/view.js";
import { get, path, put, remove } from "../core/api.js";
import { refresh, usePoll } from "../core/poll.js";
import { Loaded, Panel } from "./bits.js";
import { note } from "./dialog.js";
import { Form, number } from "./form.js";

const PACE = [["max-messages-per-second", "Messages per second"], ["max-bytes-per-second", "Bytes per second"]];
export const VHOST_LIMITS = [["max-connections", "Connections"], ["max-queues", "Queues"], ...PACE];
export const USER_LIMITS = [["max-connections", "Connections"], ["max-channels", "Channels"], ...PACE];

/** `of`: "vhost-limits" or "user-limits". */
export function Limits({ of, name }) {
  const known = of === "vhost-limits" ? VHOST_LIMITS : USER_LIMITS;
  const at = `${of}/${path`${name}`}`;
  const seen = usePoll(async (signal) => (await get(at, {}, { signal }))[0]?.value ?? {}, [at], { every: 0 });
  return html`<${Panel} title="Limits" note="empty: none; 0: not one"><${Loaded} from=${seen}>${(now) => html`<${Form} class="two" key=${JSON.stringify(now)} action="Save limits" fields=${known.map(([id, label]) => ({ name: id, label: `${label} at most`, type: "number", min: -1, value: now[id] === undefined ? "" : String(now[id]) }))} submit=${async (said) => {
    for (const [id] of known) {
      const value = number(said[id]);
      if (value !== undefined) await put(`${at}/${id}`, { value });
      else if (now[id] !== undefined) await remove(`${at}/${id}`);
    }
    note("Limits are saved.");
    refresh();
  }} />`}</></>`;
}
