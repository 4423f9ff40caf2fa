// Who may log in.
import { html } from "../core/view.js";
import { path, put, remove } from "../core/api.js";
import { plural } from "../core/format.js";
import { refresh } from "../core/poll.js";
import { go, link } from "../core/route.js";
import { Badge, Empty, Head } from "../ui/bits.js";
import { confirm, note, show } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { List } from "../ui/list.js";

const TAGS = [["administrator", "everything"], ["monitoring", "sees all connections and the nodes"], ["policymaker", "policies and parameters of its vhosts"], ["management", "its own things in the dashboard"]];

const COLUMNS = [
  { id: "name", label: "User", sort: "name", always: true, show: (user) => html`<a class="name" href=${link("users", user.name)}>${user.name}</a>` },
  { id: "tags", full: true, label: "Tags", show: (user) => html`<span class="tags">${user.tags.length ? user.tags.map((tag) => html`<${Badge} key=${tag} tone=${tag === "administrator" ? "accent" : "quiet"}>${tag}</>`) : html`<span class="zero">none</span>`}</span>` },
  { id: "password", label: "Password", needs: ["password_hash", "hashing_algorithm"], show: (user) => (user.password_hash ? html`<span title=${user.hashing_algorithm}>${(user.hashing_algorithm ?? "").replace("rabbit_password_hashing_", "")}</span>` : html`<${Badge} title="Only by certificate or another way">none</>`) },
  { id: "limits", label: "Limits", at: "wide", show: (user) => Object.entries(user.limits ?? {}).map(([name, value]) => `${name} ${value}`).join(", ") || html`<span class="zero">–</span>` },
];

export default function Users() {
  return html`<${Head} title="Users"><button class="primary" onClick=${() => show({ title: "New user", body: (close) => html`<${UserForm} close=${close} />` })}>New user</button></>
    <${List} from="users" columns=${COLUMNS} order=${["name", false]} rowKey=${(user) => user.name} placeholder="Filter users by name" empty=${html`<${Empty} title="No users" />`}
      pick=${(rows, done) => html`<button class="quiet-danger" onClick=${() => drop(rows, done)}>Delete</button>`} />`;
}

export function drop(users, done = () => {}) {
  confirm({
    title: users.length === 1 ? "Delete this user?" : `Delete ${plural(users.length, "user")}?`, danger: true, action: "Delete",
    body: html`<ul class="names">${users.map((user) => html`<li key=${user.name}><b>${user.name}</b></li>`)}</ul><p class="losses">Their permissions go, and their connections are closed.</p>`,
    run: async () => {
      for (const user of users) await remove(path`users/${user.name}`);
      note(`Deleted ${plural(users.length, "user")}.`);
      done();
      refresh();
    },
  });
}

/** Makes a user, or changes one. */
export function UserForm({ user, close }) {
  const fields = [
    { name: "name", label: "Name", required: true, when: () => !user },
    { name: "how", label: "Logs in with", type: "select", options: [...(user ? [["keep", "the password it has"]] : []), ["password", user ? "a new password" : "a password"], ["hash", "a password's hash"], ["none", "no password (a certificate)"]] },
    { name: "password", label: user ? "New password" : "Password", type: "password", required: true, when: (said) => said.how === "password" },
    { name: "hash", label: "Hash", when: (said) => said.how === "hash", help: "as in definitions: salted SHA-256, in base64" },
    ...TAGS.map(([tag, means]) => ({ name: `tag-${tag}`, label: tag, help: means, type: "check", value: user?.tags.includes(tag) ?? false })),
    { name: "other", label: "Other tags", placeholder: "separated by commas", value: user?.tags.filter((tag) => !TAGS.some(([known]) => known === tag)).join(", ") ?? "" },
  ];
  return html`<${Form} fields=${fields} action=${user ? "Save" : "Make user"} onCancel=${close} submit=${async (said) => {
    const name = user?.name ?? said.name;
    const tags = [...TAGS.map(([tag]) => tag).filter((tag) => said[`tag-${tag}`]), ...said.other.split(",").map((tag) => tag.trim()).filter(Boolean)].join(",");
    if (said.how === "password" && said.password === "") throw new Error("A password is needed.");
    const secret = { password: { password: said.password }, hash: { password_hash: said.hash }, none: { password_hash: "" }, keep: user && { password_hash: user.password_hash, hashing_algorithm: user.hashing_algorithm } }[said.how];
    await put(path`users/${name}`, { ...secret, tags });
    close();
    note(user ? `${name} is changed.` : `${name} is there. It may do nothing until it has permissions.`);
    if (user) refresh(); else go("users", name);
  }} />`;
}
