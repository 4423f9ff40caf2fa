// Permissions and topic permissions of a user or in a vhost.
import { html } from "../core/view.js";
import { exchangeName, get, path, put, remove } from "../core/api.js";
import { exchangeLabel } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Loaded, Panel } from "./bits.js";
import { confirm, note } from "./dialog.js";
import { Form } from "./form.js";
import { Rows } from "./rows.js";

const pattern = (text) => (text === "" ? html`<span class="zero" title="nothing">nothing</span>` : html`<code>${text}</code>`);

/** `user` or `vhost`: what the permissions are of. */
export function Permissions({ user, vhost }) {
  const of = user === undefined ? path`vhosts/${vhost}` : path`users/${user}`;
  const seen = usePoll(async (signal) => {
    const [permissions, topics] = await Promise.all([get(`${of}/permissions`, {}, { signal }), get(`${of}/topic-permissions`, {}, { signal })]);
    return { permissions, topics };
  }, [of]);
  const choices = usePoll(async (signal) => (await get(user === undefined ? "users" : "vhosts", { columns: "name" }, { signal })).map((each) => each.name), [user === undefined], { every: 0 });
  const other = user === undefined ? "user" : "vhost";
  const whole = (said) => ({ user, vhost, ...said });
  return html`<${Loaded} from=${seen}>${({ permissions, topics }) => html`
    <${Panel} title="Permissions" note="regular expressions for names" class="flush">
      <${Table} rows=${permissions} other=${other} drop=${(row) => drop(row, path`permissions/${row.vhost}/${row.user}`)} none=${user === undefined ? "Nobody may do anything here." : "It may enter no vhost."} />
      <div class="pad"><${Form} class="two" action="Set permission" fields=${[
        { name: other, label: other === "user" ? "User" : "Vhost", type: "select", options: choices.data ?? ["/"], value: choices.data?.[0] },
        { name: "configure", label: "Configure", value: ".*", help: "declare and delete" }, { name: "write", label: "Write", value: ".*", help: "publish, bind to" }, { name: "read", label: "Read", value: ".*", help: "consume, bind from" },
      ]} key=${choices.data?.length} submit=${async (said) => {
        const { user: who, vhost: where, ...patterns } = whole(said);
        await put(path`permissions/${where}/${who}`, patterns);
        note("Set.");
        refresh();
      }} /></div>
    </>
    <${Panel} title="Topic permissions" note="what routing keys may be used at topic exchanges" class="flush">
      <${Table} rows=${topics} other=${other} topic drop=${(row) => drop(row, path`topic-permissions/${row.vhost}/${row.user}/${exchangeName(row.exchange)}`)} none="No topic exchange is restricted." />
      <div class="pad"><${Form} class="two" action="Set topic permission" fields=${[
        { name: other, label: other === "user" ? "User" : "Vhost", type: "select", options: choices.data ?? ["/"], value: choices.data?.[0] },
        { name: "exchange", label: "Exchange", value: "amq.topic", required: true }, { name: "write", label: "Write", value: ".*", help: "routing keys to publish with" }, { name: "read", label: "Read", value: ".*", help: "binding keys" },
      ]} key=${choices.data?.length} submit=${async (said) => {
        const { user: who, vhost: where, ...rest } = whole(said);
        await put(path`topic-permissions/${where}/${who}`, rest);
        note("Set.");
        refresh();
      }} /></div>
    </>`}</>`;
}

function Table({ rows, other, topic, drop: clear, none }) {
  if (!rows.length) return html`<p class="note pad">${none}</p>`;
  const place = other === "user" ? "users" : "vhosts";
  return html`<${Rows} bare label=${topic ? "Topic permissions" : "Permissions"} rows=${rows} rowKey=${(row) => `${row[other]}\n${row.exchange}`} columns=${[
    { id: "other", label: other === "user" ? "User" : "Vhost", always: true, show: (row) => html`<a class="name" href=${link(place, row[other])}>${row[other]}</a>` },
    topic ? { id: "exchange", label: "Exchange", show: (row) => exchangeLabel(row.exchange) } : { id: "configure", label: "Configure", show: (row) => pattern(row.configure) },
    { id: "write", label: "Write", show: (row) => pattern(row.write) },
    { id: "read", label: "Read", show: (row) => pattern(row.read) },
    { id: "clear", label: "", num: true, show: (row) => html`<button class="small quiet-danger" onClick=${() => clear(row)}>Clear</button>` },
  ]} />`;
}

function drop(row, at) {
  confirm({
    title: "Clear this permission?", danger: true, action: "Clear",
    body: html`<p><b>${row.user}</b> in vhost <b>${row.vhost}</b>${row.exchange !== undefined && html` at exchange <b>${exchangeLabel(row.exchange)}</b>`}.</p><p class="losses">${row.exchange === undefined ? "It may no longer enter the vhost. Its connections stay until they do something." : "The exchange is no longer restricted for it."}</p>`,
    run: async () => {
      await remove(at);
      note("Cleared.");
      refresh();
    },
  });
}
