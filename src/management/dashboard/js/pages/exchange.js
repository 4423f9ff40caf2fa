// One exchange: where messages come from, where they go, and a way to send one.
import { html } from "../core/view.js";
import { exchangeName, get, path, remove } from "../core/api.js";
import { exchangeLabel, rate, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { go, link, useRoute } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Facts, Head, Loaded, Panel, Table, Tabs } from "../ui/bits.js";
import { Bind, Bindings } from "../ui/bindings.js";
import { ages, Chart, Range, rates, together } from "../ui/chart.js";
import { confirm, note } from "../ui/dialog.js";
import { PolicyLink } from "../ui/links.js";
import { INCOMING, Parts, PUBLISHES } from "../ui/parts.js";
import { Publish } from "../ui/publish.js";
import { Picture } from "../exchange/picture.js";
import { Scheduled } from "../exchange/scheduled.js";

export default function Exchange({ parts: [vhost, said] }) {
  const { query } = useRoute();
  const seconds = useStore(range);
  const name = said === "amq.default" ? "" : said;
  const at = path`exchanges/${vhost}/${exchangeName(name)}`;
  const seen = usePoll((signal) => get(at, ages(seconds, "msg_rates"), { signal }), [at, seconds]);
  const tab = query.tab ?? "bindings";
  const own = name && !name.startsWith("amq.");
  return html`<${Loaded} from=${seen}>${(exchange) => html`
    <${Head} trail=${[["Exchanges", link("exchanges")], ...(vhost === "/" ? [] : [[vhost, link("exchanges", { vhost })]])]} title=${exchangeLabel(name)}
      badges=${html`<${Badge} tone="accent">${exchange.type}</>${exchange.durable && html`<${Badge}>durable</>`}${exchange.auto_delete && html`<${Badge}>auto-delete</>`}${exchange.internal && html`<${Badge}>internal</>`}`}>
      ${own && html`<button class="quiet-danger" onClick=${() => drop(exchange, at)}>Delete</button>`}
    </>
    <${Tabs} at=${tab} to=${(id) => link("exchanges", vhost, said, { tab: id === "bindings" ? undefined : id })} tabs=${[["bindings", "Bindings"], ["publish", "Publish"], ...(exchange.type === "x-delayed-message" ? [["scheduled", "Scheduled", exchange.messages_delayed]] : []), ["details", "Details"]]} />
    ${tab === "bindings" && html`<${Panel} title="Bindings as a picture"><${Picture} vhost=${vhost} exchange=${exchange} /></>
      ${name !== "" && html`<${Bindings} from=${`${at}/bindings/source`} side="destination" title="From here to" empty="No queue is bound: what is published here goes nowhere." /><${Bindings} from=${`${at}/bindings/destination`} side="source" title="To here from" empty="No other exchange is bound to this one." /><${Panel} title="Bind"><${Bind} vhost=${vhost} source=${name} /></>`}`}
    ${tab === "publish" && html`<${Panel} title="Publish"><${Publish} vhost=${vhost} exchange=${name} delays=${exchange.type === "x-delayed-message"} /></>`}
    ${tab === "scheduled" && html`<${Scheduled} exchange=${exchange} />`}
    ${tab === "details" && html`<${Details} exchange=${exchange} />`}`}</>`;
}

function Details({ exchange }) {
  const stats = exchange.message_stats;
  return html`${stats && html`<div class="right-line"><${Range} /></div><${Panel}><${Chart} title="Message rates" unit="per second" format=${rate} series=${[{ label: "In", color: "--c1" }, { label: "Out", color: "--c2" }]} data=${together(rates, [stats.publish_in_details, stats.publish_out_details])} /></>`}
    <div class="grid"><${Parts} title="Who publishes" label="Channel" list=${exchange.incoming} counts=${PUBLISHES} /><${Parts} title="Where it goes" label="Queue" list=${exchange.outgoing} counts=${INCOMING} /></div>
    <${Panel} title="Details"><${Facts} rows=${[
      ["Type", exchange.type], ["Vhost", html`<a href=${link("vhosts", exchange.vhost)}>${exchange.vhost}</a>`], ["Policy", html`<${PolicyLink} vhost=${exchange.vhost} name=${exchange.policy} />`],
      ["Alternate exchange", exchange.arguments?.["alternate-exchange"]], ["Came in", stats && whole(stats.publish_in)], ["Went out", stats && whole(stats.publish_out)],
    ]} /><h3>Arguments</h3><${Table} value=${exchange.arguments} /></>`;
}

function drop(exchange, at) {
  confirm({
    title: "Delete this exchange?", danger: true, action: "Delete exchange", typed: exchange.name,
    body: html`<p>The exchange <b>${exchange.name}</b> in vhost <b>${exchange.vhost}</b>.</p><p class="losses">With it go all bindings from and to it. Who publishes to it gets an error.</p>`,
    run: async () => {
      await remove(at);
      note(`${exchange.name} is deleted.`);
      go("exchanges");
    },
  });
}
