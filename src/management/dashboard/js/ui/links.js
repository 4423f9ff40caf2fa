// Names of objects that lead to their pages.
import { html } from "../core/view.js";
import { exchangeLabel } from "../core/format.js";
import { link } from "../core/route.js";
import { exchangeName } from "../core/api.js";

const Named = ({ href, name, sub }) => html`<a class="name" href=${href} title=${name}>${name === "" ? "(empty)" : name}</a>${sub && html`<span class="sub">${sub}</span>`}`;

export const QueueLink = ({ vhost, name, sub }) => html`<${Named} href=${link("queues", vhost, name)} name=${name} sub=${sub} />`;
export const ExchangeLink = ({ vhost, name, sub }) => html`<${Named} href=${link("exchanges", vhost, exchangeName(name))} name=${exchangeLabel(name)} sub=${sub} />`;
export const ConnectionLink = ({ name, label, sub }) => html`<${Named} href=${link("connections", name)} name=${label ?? name} sub=${sub} />`;
/** Of a channel's name, which is its connection's and a number, the other end of the connection is left out. */
export const ChannelLink = ({ name, label }) => html`<a class="name" href=${link("channels", name)} title=${name}>${label ?? name.replace(/ -> .*(?= \(\d+\)$)/, "")}</a>`;
export const PolicyLink = ({ vhost, name }) => (name ? html`<a href=${link("policies", { vhost, name })}>${name}</a>` : html`<span class="zero">–</span>`);

/** Where a binding leads to or comes from. */
export const EndLink = ({ vhost, type, name }) => (type === "queue" ? html`<${QueueLink} vhost=${vhost} name=${name} />` : html`<${ExchangeLink} vhost=${vhost} name=${name} />`);
