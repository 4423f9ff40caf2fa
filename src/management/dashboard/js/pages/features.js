// What this broker can do, as RabbitMQ's tools ask for it.
import { html } from "../core/view.js";
import { get, may, path, put } from "../core/api.js";
import { refresh, usePoll } from "../core/poll.js";
import { Badge, Head, Loaded, Panel } from "../ui/bits.js";
import { note } from "../ui/dialog.js";

export default function Features() {
  const seen = usePoll(async (signal) => {
    const [flags, deprecated] = await Promise.all([get("feature-flags", {}, { signal }), get("deprecated-features", {}, { signal })]);
    return { flags, deprecated };
  }, [], { every: 60 });
  return html`<${Head} title="Feature flags" /><${Loaded} from=${seen}>${({ flags, deprecated }) => html`
    <${Panel} title="Feature flags" class="flush"><div class="scroll bare" tabindex="0" role="region" aria-label="Feature flags"><table><thead><tr><th>Name</th><th>State</th><th class="wide">Stability</th><th>What it is</th><th></th></tr></thead>
      <tbody>${flags.map((flag) => html`<tr key=${flag.name}><td class="main mono">${flag.name}</td><td><${Badge} tone=${flag.state === "enabled" ? "ok" : "quiet"}>${flag.state}</></td><td class="wide">${flag.stability}</td><td>${flag.desc}</td><td class="right">${flag.state === "disabled" && may().administer && html`<button class="small" onClick=${() => enable(flag.name)}>Enable</button>`}</td></tr>`)}</tbody></table></div></>
    <${Panel} title="Deprecated in RabbitMQ" note="and still there" class="flush"><div class="scroll bare" tabindex="0" role="region" aria-label="Deprecated features"><table><thead><tr><th>Name</th><th class="wide">Phase</th><th>What it is</th></tr></thead>
      <tbody>${deprecated.map((each) => html`<tr key=${each.name}><td class="main mono">${each.name}</td><td class="wide">${each.deprecation_phase.replaceAll("_", " ")}</td><td>${each.desc}</td></tr>`)}</tbody></table></div></>`}</>`;
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
