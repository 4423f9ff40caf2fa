// Everything but messages as one file: out of this broker, or into it.
import { html, useState } from "../core/view.js";
import { ask, get, path, post } from "../core/api.js";
import { bytes, plural } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { Facts, Head, Panel, Wrong } from "../ui/bits.js";
import { note } from "../ui/dialog.js";

const where = (vhost) => (vhost === "" ? "definitions" : path`definitions/${vhost}`);
const KINDS = ["users", "vhosts", "permissions", "topic_permissions", "parameters", "global_parameters", "policies", "queues", "exchanges", "bindings"];

export default function Definitions() {
  const vhosts = usePoll((signal) => get("vhosts", { columns: "name" }, { signal }), [], { every: 0 });
  const names = (vhosts.data ?? []).map((each) => each.name);
  return html`<${Head} title="Definitions" /><p class="note">Users, vhosts, permissions, policies, exchanges, queues and bindings as one JSON document. RabbitMQ's own exports are understood.</p>
    <div class="grid"><${Export} names=${names} /><${Import} names=${names} /></div>`;
}

const Scope = ({ names, value, onChange }) => html`<div class="field"><label>Of <select value=${value} onChange=${(event) => onChange(event.target.value)}><option value="">the whole broker</option>${names.map((name) => html`<option key=${name} value=${name}>vhost ${name}</option>`)}</select></label></div>`;

function Export({ names }) {
  const [vhost, choose] = useState("");
  const [error, fail] = useState(null);
  async function save() {
    fail(null);
    try {
      const blob = await (await ask("GET", where(vhost))).blob();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `warren-${vhost === "" ? "all" : vhost.replace(/[^\w.-]/g, "_")}-${new Date().toISOString().slice(0, 10)}.json`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      note(`Exported ${bytes(blob.size)}.`);
    } catch (problem) {
      fail(problem);
    }
  }
  return html`<${Panel} title="Export"><${Scope} names=${names} value=${vhost} onChange=${choose} /><p class="note">Passwords are in it as hashes.</p><${Wrong} error=${error} /><div class="form-end"><button class="primary" onClick=${save}>Export</button></div></>`;
}

function Import({ names }) {
  const [vhost, choose] = useState("");
  const [file, pick] = useState(null);
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  async function read(event) {
    fail(null);
    pick(null);
    const chosen = event.target.files[0];
    if (!chosen) return;
    try {
      pick({ name: chosen.name, content: JSON.parse(await chosen.text()) });
    } catch (problem) {
      fail(new Error(`${chosen.name} is not JSON: ${problem.message}`));
    }
  }
  async function send() {
    work(true);
    fail(null);
    try {
      await post(where(vhost), file.content);
      note(`${file.name} is taken over.`);
      pick(null);
      refresh();
    } catch (problem) {
      fail(problem);
    }
    work(false);
  }
  return html`<${Panel} title="Import"><${Scope} names=${names} value=${vhost} onChange=${choose} />
    <div class="field"><label>File <input type="file" accept=".json,application/json" onChange=${read} /></label><small>What is there already stays; users and policies of the same name are replaced.</small></div>
    ${file && html`<${Facts} rows=${KINDS.filter((kind) => Array.isArray(file.content[kind])).map((kind) => [kind.replaceAll("_", " "), plural(file.content[kind].length, "entry", "entries")])} />`}
    <${Wrong} error=${error} /><div class="form-end"><button class="primary" disabled=${!file || busy} onClick=${send}>${busy ? "Working…" : "Import"}</button></div></>`;
}
