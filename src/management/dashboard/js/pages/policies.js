// Policies: settings for all queues or exchanges whose names fit, with what fits at the moment.
import { html, useEffect, useState } from "../core/view.js";
import { get, may, path, put, remove } from "../core/api.js";
import { plural, whole } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { link, useRoute } from "../core/route.js";
import { Badge, Empty, Head, Num, Table, Tabs } from "../ui/bits.js";
import { confirm, note, show } from "../ui/dialog.js";
import { Form, number } from "../ui/form.js";
import { OPERATOR_KEYS, POLICY_KEYS } from "../ui/known.js";
import { List } from "../ui/list.js";

const APPLY = ["all", "queues", "classic_queues", "quorum_queues", "streams", "exchanges"];
const KINDS = { policies: "Policies", "operator-policies": "Operator policies" };

export default function Policies() {
  const { query } = useRoute();
  const kind = query.kind === "operator" ? "operator-policies" : "policies";
  const rights = may();
  const change = kind === "policies" ? rights.makePolicies : rights.administer;
  const edit = (policy) => show({ title: policy ? `Change ${policy.name}` : `New ${kind === "policies" ? "policy" : "operator policy"}`, wide: true, body: (close) => html`<${PolicyForm} kind=${kind} policy=${policy} vhost=${query.vhost} close=${close} />` });
  const columns = [
    { id: "name", label: "Policy", always: true, sort: "name", show: (each) => html`<span class="name">${each.name}</span>${each.vhost !== "/" && html`<span class="sub">${each.vhost}</span>`}` },
    { id: "pattern", label: "Pattern", sort: "pattern", show: (each) => html`<code>${each.pattern}</code>` },
    { id: "apply-to", label: "Applies to", sort: "apply-to", at: "wide", show: (each) => each["apply-to"].replaceAll("_", " ") },
    { id: "definition", full: true, label: "Definition", show: (each) => html`<${Table} value=${each.definition} />` },
    { id: "priority", label: "Priority", num: true, sort: "priority", show: (each) => html`<${Num} value=${each.priority} />` },
    ...(change ? [{ id: "change", label: "", needs: ["name"], always: true, show: (each) => html`<span class="row-actions"><button class="small" onClick=${() => edit(each)}>Change</button><button class="small quiet-danger" onClick=${() => drop(kind, each)}>Delete</button></span>` }] : []),
  ];
  return html`<${Head} title=${KINDS[kind]}>${change && html`<button class="primary" onClick=${() => edit()}>New ${kind === "policies" ? "policy" : "operator policy"}</button>`}</>
    <${Tabs} at=${kind} to=${(id) => link("policies", { vhost: query.vhost, kind: id === "policies" ? undefined : "operator" })} tabs=${Object.entries(KINDS)} />
    <${List} key=${kind} plain from=${query.vhost === undefined ? kind : `${kind}/${path`${query.vhost}`}`} columns=${columns} order=${["priority", true]} rowKey=${(each) => `${each.vhost}\n${each.name}`} placeholder="Filter by name"
      empty=${html`<${Empty} title="None yet">${kind === "policies" ? "A policy sets limits, expiry or dead-lettering for all queues whose names match a pattern, also for those that are there already, and can be changed at any time." : "An operator policy sets bounds that neither clients nor policies can exceed."}</>`} />`;
}

function drop(kind, policy) {
  confirm({
    title: "Delete this policy?", danger: true, action: "Delete policy",
    body: html`<p><b>${policy.name}</b> in vhost <b>${policy.vhost}</b>, with the pattern <code>${policy.pattern}</code>.</p><p class="losses">What it says no longer holds for the queues and exchanges it governs; the policy with the next lower priority takes over.</p>`,
    run: async () => {
      await remove(`${kind}/${path`${policy.vhost}/${policy.name}`}`);
      note(`${policy.name} is deleted.`);
      refresh();
    },
  });
}

function PolicyForm({ kind, policy, vhost, close }) {
  const vhosts = usePoll((signal) => get("vhosts", { columns: "name" }, { signal }), [], { every: 0 });
  if (!vhosts.data) return null;
  const names = vhosts.data.map((each) => each.name);
  const fields = [
    { name: "name", label: "Name", required: true, when: () => !policy },
    { name: "vhost", label: "Vhost", type: "select", options: names, when: () => !policy },
    { name: "pattern", label: "Pattern", required: true, help: "a regular expression; ^orders\\. are all that begin with orders." },
    { name: "apply", label: "Applies to", type: "select", options: (kind === "policies" ? APPLY : APPLY.filter((id) => id !== "exchanges")).map((id) => [id, id.replaceAll("_", " ")]), value: kind === "policies" ? "all" : "queues" },
    { name: "priority", label: "Priority", type: "number", value: "0", help: "the highest that fits is the one that counts" },
    { name: "definition", label: "Definition", type: "arguments", known: kind === "policies" ? POLICY_KEYS : OPERATOR_KEYS },
  ];
  const start = policy ? { ...policy, apply: policy["apply-to"], priority: String(policy.priority) } : { vhost: vhost ?? names[0] };
  return html`<${Form} class="two" fields=${fields} start=${start} action=${policy ? "Save" : "Make policy"} onCancel=${close} submit=${async (said) => {
    const name = policy?.name ?? said.name;
    const where = policy?.vhost ?? said.vhost;
    await put(`${kind}/${path`${where}/${name}`}`, { pattern: said.pattern, "apply-to": said.apply, priority: number(said.priority) ?? 0, definition: said.definition });
    close();
    note(`${name} holds from now on.`);
    refresh();
  }}>${(said) => html`<${Fits} vhost=${policy?.vhost ?? said.vhost} pattern=${said.pattern} apply=${said.apply} />`}</>`;
}

const SHOWN = 8, TYPING = 250;
const ALSO = { queues: ["queues"], classic_queues: ["queues"], quorum_queues: ["queues"], streams: ["queues"], exchanges: ["exchanges"], all: ["queues", "exchanges"] };

/** What a pattern fits at the moment, asked of the broker as it is typed. */
function Fits({ vhost, pattern, apply }) {
  const [settled, settle] = useState(pattern);
  useEffect(() => {
    const timer = setTimeout(settle, TYPING, pattern);
    return () => clearTimeout(timer);
  }, [pattern]);
  const seen = usePoll((signal) => Promise.all(ALSO[apply].map((what) => get(`${what}/${path`${vhost}`}`, { page: 1, page_size: SHOWN, name: settled, use_regex: "true", columns: "name,type", disable_stats: "true" }, { signal }))), [vhost, settled, apply], { every: 0, on: Boolean(settled) });
  if (!settled || !seen.data) return html`<p class="note full">What it fits is shown here while you type.</p>`;
  // The broker filters by name; of one type there may be fewer.
  const most = apply === "classic_queues" || apply === "quorum_queues" || apply === "streams" ? "at most " : "";
  const right = (item) => apply !== "classic_queues" && apply !== "quorum_queues" ? true : item.type === apply.replace("_queues", "");
  return html`<div class="fits full" aria-live="polite">${seen.data.map((found, at) => html`<div key=${at}><b>${most}${plural(found.filtered_count, ALSO[apply][at].slice(0, -1))} of ${whole(found.total_count)}</b> <span class="tags">${found.items.filter(right).map((each) => html`<${Badge} key=${each.name}>${each.name || "(default)"}</>`)}${found.filtered_count > SHOWN ? "…" : ""}</span></div>`)}</div>`;
}
