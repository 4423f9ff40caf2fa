// The start: logs in or takes up an earlier login, then shows the page that the address names.
import { html, render, useEffect, useErrorBoundary, useState } from "./core/view.js";
import { ApiError, contact, logIn, may, resume, session } from "./core/api.js";
import { useRoute } from "./core/route.js";
import { theme, useStore } from "./core/store.js";
import { Head, Wrong, Waiting } from "./ui/bits.js";
import { Dialogs } from "./ui/dialog.js";
import { Shell } from "./shell.js";
import { Login } from "./login.js";

const setTheme = (name) => { document.documentElement.dataset.theme = name; };
setTheme(theme.get());
theme.on(setTheme);

/** Pages by the first part of the address; with one more part (or two), the page of one object. */
const PAGES = {
  "": () => import("./pages/overview.js"),
  connections: () => import("./pages/connections.js"),
  "connections/": () => import("./pages/connection.js"),
  channels: () => import("./pages/channels.js"),
  "channels/": () => import("./pages/channel.js"),
  consumers: () => import("./pages/consumers.js"),
  exchanges: () => import("./pages/exchanges.js"),
  "exchanges/": () => import("./pages/exchange.js"),
  queues: () => import("./pages/queues.js"),
  "queues/": () => import("./pages/queue.js"),
  topology: () => import("./pages/topology.js"),
  logs: () => import("./pages/logs.js"),
  users: () => import("./pages/users.js"),
  "users/": () => import("./pages/user.js"),
  vhosts: () => import("./pages/vhosts.js"),
  "vhosts/": () => import("./pages/vhost.js"),
  policies: () => import("./pages/policies.js"),
  limits: () => import("./pages/limits.js"),
  definitions: () => import("./pages/definitions.js"),
  features: () => import("./pages/features.js"),
};

/** What a page needs of its user beyond the tag `management`; the broker would refuse what it asks for. */
const NEEDS = { users: ["administer", "Users"], definitions: ["administer", "Definitions"], logs: ["monitor", "Log"] };
const TAGS = { administer: "administrator", monitor: "monitoring" };

function Page() {
  const { parts } = useRoute();
  const key = parts.length > 1 ? `${parts[0]}/` : parts[0] ?? "";
  const [need, title] = NEEDS[parts[0]] ?? [];
  const [shown, show] = useState({});
  useEffect(() => {
    let over = false;
    const page = PAGES[key];
    if (!page) {
      show({ key, error: new ApiError("missing", 404, "No page has this address.") });
      return undefined;
    }
    page().then(
      (module) => over || show({ key, Part: module.default }),
      () => over || show({ key, error: new Error("The page could not be loaded. If the broker was updated, load the dashboard again.") }),
    );
    return () => { over = true; };
  }, [key]);
  if (need && !may()[need]) return html`<${Head} title=${title} /><${Wrong} error=${new ApiError("refused", 403, `It takes a user with the tag ${TAGS[need]}.`)} />`;
  if (shown.error) return html`<${Wrong} error=${shown.error}><button onClick=${() => location.reload()}>Load again</button></>`;
  if (!shown.Part || shown.key !== key) return html`<${Waiting} />`;
  // Another object is another page: nothing of the last one stays.
  return html`<${Guard} key=${parts.join("\n")}><${shown.Part} parts=${parts.slice(1)} /></>`;
}

/** A fault of one page leaves the others usable. */
function Guard({ children }) {
  const [error, reset] = useErrorBoundary();
  if (error) return html`<${Wrong} error=${error}><button onClick=${reset}>Try again</button></>`;
  return children;
}

function App({ trouble }) {
  const user = useStore(session);
  const state = useStore(contact);
  const [problem, fail] = useState(trouble);
  useEffect(() => {
    if (!problem) return undefined;
    const timer = setInterval(() => resume().then(() => fail(null), () => {}), 2000);
    return () => clearInterval(timer);
  }, [problem]);
  if (problem && !user) return html`<main class="login"><${Wrong} error=${problem}>It is asked again every two seconds.</></main>`;
  if (!user) return html`<${Login} logIn=${logIn} />`;
  return html`<${Shell}><${Page} /></><${Dialogs} />${state === "expired" && html`<${Login} again=${user.name} logIn=${logIn} />`}`;
}

let trouble = null;
try { await resume(); } catch (error) { trouble = error; }
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${App} trouble=${trouble} />`, place);
