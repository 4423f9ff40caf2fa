// What this broker can do, as RabbitMQ's tools ask for it.
import { html } from "../core/view.js";
import { get, may, path, put } from "../core/api.js";
import { refresh, usePoll } from "../core/poll.js";
import { Badge, Head, Loaded, Panel } from "../ui/bits.js";
import { note } from "../ui/dialog.js";
import { Rows } from "../ui/rows.js";

const name = { id: "name", label: "Name", always: true, show: (each) => html`<span class="mono">${each.name}</span>` };
const what = { id: "what", full: true, label: "What it is", show: (each) => each.desc };
const FLAGS = [
  name,
  { id: "state", label: "State", show: (flag) => html`<${Badge} tone=${flag.state === "enabled" ? "ok" : "quiet"}>${flag.state}</>` },
  { id: "stability", label: "Stability", show: (flag) => flag.stability },
  what,
  { id: "enable", label: "", num: true, show: (flag) => flag.state === "disabled" && may().administer && html`<button class="small" onClick=${() => enable(flag.name)}>Enable</button>` },
];
const DEPRECATED = [name, { id: "phase", label: "Phase", show: (each) => each.deprecation_phase.replaceAll("_", " ") }, what];

export default function Features() {
  const seen = usePoll(async (signal) => {
    const [flags, deprecated] = await Promise.all([get("feature-flags", {}, { signal }), get("deprecated-features", {}, { signal })]);
    return { flags, deprecated };
  }, [], { every: 60 });
  return html`<${Head} title="Feature flags" /><${Loaded} from=${seen}>${({ flags, deprecated }) => html`
    <${Panel} title="Feature flags" class="flush"><${Rows} bare label="Feature flags" rows=${flags} columns=${FLAGS} rowKey=${(flag) => flag.name} /></>
    <${Panel} title="Deprecated in RabbitMQ" note="and still there" class="flush"><${Rows} bare label="Deprecated features" rows=${deprecated} columns=${DEPRECATED} rowKey=${(each) => each.name} /></>`}</>`;
}

async function enable(name) {
  try {
    await put(path`feature-flags/${name}/enable`);
    note(`${name} is enabled.`);
    refresh();
  } catch (error) {
    note(error.message, "bad");
  }
}
