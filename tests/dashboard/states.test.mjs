// What stands between the page and the broker, hostile names, and what the address keeps.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, Dashboard, HTTP, quote } from "./support.mjs";

const EVIL = `<img src=x onerror="alert(1)">/"q'"?#&%2F \u202e🐇`;
const LONG = "🐇".repeat(63) + "abc";
let dashboard, page;
before(async () => {
  for (const name of [EVIL, LONG]) await api("PUT", `queues/%2F/${quote(name)}`, {});
  const publish = (payload, encoding, properties = {}) => api("POST", "exchanges/%2F/amq.default/publish", { routing_key: EVIL, payload, payload_encoding: encoding, properties });
  await publish("<script>alert(1)</script>", "string", { content_type: "text/html", headers: { "<b>x</b>": "<img src=x onerror=alert(1)>" } });
  await publish(Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString("base64"), "base64");
  await publish("x".repeat(3_000_000), "string");
  await api("PUT", "users/state-little", { password: "little", tags: "management" });
  await api("PUT", "permissions/%2F/state-little", { configure: "^$", write: "^$", read: "^mine" });
  dashboard = await Dashboard.start();
  page = dashboard.page;
  await dashboard.logIn();
});
after(async () => {
  for (const name of [EVIL, LONG]) await api("DELETE", `queues/%2F/${quote(name)}`);
  for (const user of ["state-little", "state-admin"]) await api("DELETE", `users/${user}`);
  await dashboard.stop();
});

test("hostile names and payloads are shown and never run", async () => {
  await dashboard.open("#/queues");
  await page.locator("a.name", { hasText: 'onerror="alert(1)"' }).click();
  await page.locator("h1", { hasText: "<img" }).waitFor();
  assert.equal(await page.locator("h1").textContent(), EVIL);
  await dashboard.open(`#/queues/%2F/${quote(EVIL)}?tab=messages`);
  await page.waitForFunction(() => document.querySelectorAll(".message").length === 3);
  for (const summary of await page.locator(".message summary").all()) await summary.click();
  await page.locator(".payload pre", { hasText: "<script>alert(1)</script>" }).waitFor();
  await page.locator(".message", { hasText: "of 2.9 MiB" }).waitFor();
  await dashboard.open(`#/queues/%2F/${quote(LONG)}`);
  await dashboard.open("#/topology?vhost=%2F");
  await dashboard.open("#/queues");
  await page.getByLabel('Choose <img src=x onerror="alert').check();
  await page.locator(".bulk").getByRole("button", { name: "Delete" }).click();
  await page.locator("dialog", { hasText: "<img" }).getByRole("button", { name: "Cancel" }).click();
  assert.equal(await page.locator("img").count(), 0);
  assert.deepEqual(dashboard.faults, []);
});

test("pages, order, filter and columns are kept in the address", async () => {
  await dashboard.open("#/queues");
  await page.getByRole("button", { name: "Ready" }).click();
  await page.getByLabel("Filter queues by name").fill("🐇abc");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.getByText("Columns").click();
  await page.getByLabel("Memory").check();
  await page.getByRole("columnheader", { name: "Memory" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByLabel("Memory").waitFor({ state: "hidden" });
  const address = page.url();
  assert.match(address, /sort=ready/);
  assert.match(address, /cols=[^&]*memory/);
  await page.reload();
  await page.getByRole("columnheader", { name: "Memory" }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.equal(await page.locator("th[aria-sort=descending]").textContent().then((text) => text.trim().startsWith("Ready")), true);
});

test("a page can be used with keys alone", async () => {
  await dashboard.open("#/");
  await page.keyboard.press("g");
  await page.keyboard.press("q");
  await page.locator("h1", { hasText: "Queues" }).waitFor();
  await dashboard.settled();
  await page.keyboard.press("/");
  await page.waitForFunction(() => document.activeElement?.matches("[data-filter]"));
  await page.keyboard.press("Tab");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("k");
  await page.locator("[role=combobox]:focus").waitFor();
  await page.keyboard.type("🐇abc");
  await page.getByRole("option", { name: "🐇abc" }).filter({ hasText: "queue" }).waitFor();
  assert.deepEqual(await dashboard.unfit(), []);
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "🐇abc" }).waitFor();
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.locator("dialog", { hasText: "refresh now" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
});

test("a page that nobody sees asks for nothing", async () => {
  const other = dashboard.watch(await dashboard.context.newPage());
  await other.clock.install();
  await other.addInitScript(() => {
    let hidden = false;
    Object.defineProperty(document, "hidden", { get: () => hidden });
    globalThis.hide = (value) => { hidden = value; dispatchEvent(new Event("visibilitychange")); };
  });
  await other.goto(`${HTTP}/`);
  await other.getByLabel("User").fill("guest");
  await other.getByLabel("Password").fill("guest");
  await other.getByRole("button", { name: "Log in" }).click();
  await other.locator(".tile").first().waitFor();
  // It refreshes while it is seen.
  const refreshed = other.waitForRequest(/api\/overview/);
  await other.clock.runFor(6000);
  await refreshed;
  await other.evaluate(() => hide(true));
  await other.waitForLoadState("networkidle");
  const asked = [];
  other.on("request", (request) => asked.push(request.url()));
  await other.clock.runFor(60_000);
  assert.deepEqual(asked, []);
  const again = other.waitForRequest(/api\/overview/);
  await other.evaluate(() => hide(false));
  await again;
  await other.close();
});

test("lost network is said, and the page recovers by itself", async () => {
  dashboard.expected.push(/ERR_INTERNET_DISCONNECTED/);
  await dashboard.open("#/queues");
  await dashboard.context.setOffline(true);
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.locator(".contact", { hasText: "No contact" }).waitFor();
  assert.ok(await page.locator("tbody tr").count() > 0, "what was seen last stays");
  await dashboard.context.setOffline(false);
  await page.locator(".contact").waitFor({ state: "detached" });
});

test("an expired login asks again and goes on where one was", async () => {
  await api("PUT", "users/state-admin", { password: "one", tags: "administrator" });
  await api("PUT", "permissions/%2F/state-admin", { configure: ".*", write: ".*", read: ".*" });
  await page.getByRole("button", { name: "Log out" }).click();
  await dashboard.logIn("state-admin", "one");
  await dashboard.open("#/queues?name=abc");
  await api("PUT", "users/state-admin", { password: "two", tags: "administrator" });
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.locator("dialog", { hasText: "no longer accepts" }).waitFor();
  assert.deepEqual(await dashboard.unfit(), []);
  await page.locator("dialog").getByLabel("Password").fill("two");
  await page.locator("dialog").getByRole("button", { name: "Log in" }).click();
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.match(page.url(), /name=abc/);
});

test("a wrong password is refused in words, and no password is ever in an address", async () => {
  await page.getByRole("button", { name: "Log out" }).click();
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  await page.getByLabel("User").fill("guest");
  await page.getByLabel("Password").fill("wrong-secret");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
  assert.ok(addresses.length > 0 && addresses.every((address) => !address.includes("secret")));
  assert.ok(!page.url().includes("secret"));
});

test("who has few rights sees what they may", async () => {
  await dashboard.logIn("state-little", "little");
  await dashboard.open("#/");
  await page.locator(".tile", { hasText: "Queues" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Users" }).count(), 0);
  for (const hash of ["#/queues", "#/exchanges", "#/connections", "#/channels", "#/vhosts", "#/policies", "#/limits", "#/features"]) {
    await dashboard.open(hash);
    assert.equal(await page.locator("main .wrong").count(), 0, hash);
  }
  await dashboard.open("#/users");
  await page.getByRole("alert").filter({ hasText: "You may not see this" }).waitFor();
  await dashboard.open(`#/queues/%2F/${quote(EVIL)}?tab=messages`);
  await page.getByRole("alert").filter({ hasText: "You may not" }).waitFor();
});
