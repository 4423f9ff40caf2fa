// One user: tags, permissions, limits, connections.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { plural } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { go } from "../core/route.js";
import { Badge, Head, Loaded, Panel } from "../ui/bits.js";
import { show } from "../ui/dialog.js";
import { Limits } from "../ui/limits.js";
import { ConnectionLink } from "../ui/links.js";
import { Permissions } from "../ui/permissions.js";
import { closeAll } from "./connections.js";
import { drop, UserForm } from "./users.js";

const SHOWN = 50;

export default function User({ parts: [name] }) {
  const seen = usePoll((signal) => get(path`users/${name}`, {}, { signal }), [name]);
  return html`<${Loaded} from=${seen}>${(user) => html`
    <${Head} trail=${[["Users", "#/users"]]} title=${name} badges=${user.tags.map((tag) => html`<${Badge} key=${tag} tone=${tag === "administrator" ? "accent" : "quiet"}>${tag}</>`)}>
      <button onClick=${() => show({ title: `Change ${name}`, body: (close) => html`<${UserForm} user=${user} close=${close} />` })}>Change</button><button class="quiet-danger" onClick=${() => drop([user], () => go("users"))}>Delete</button></>
    <${Permissions} user=${name} />
    <div class="grid"><${Limits} of="user-limits" name=${name} /><${Connections} user=${name} /></div>`}</>`;
}

function Connections({ user }) {
  const seen = usePoll((signal) => get(path`connections/username/${user}`, {}, { signal }), [user]);
  return html`<${Loaded} from=${seen}>${(all) => html`<${Panel} title="Connections" note=${String(all.length)} actions=${all.length > 0 && html`<button class="small quiet-danger" onClick=${() => closeAll(all)}>Close ${all.length === 1 ? "it" : "all"}</button>`}>
    ${all.length === 0 ? html`<p class="note">It is not connected.</p>` : html`<ul class="names">${all.slice(0, SHOWN).map((each) => html`<li key=${each.name}><${ConnectionLink} name=${each.name} /></li>`)}${all.length > SHOWN && html`<li class="note">and ${plural(all.length - SHOWN, "other")}</li>`}</ul>`}</>`}</>`;
}
