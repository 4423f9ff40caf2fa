// Every page, wide and narrow, light and dark: it shows what it should, and everybody can use it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { Dashboard, PHONE, Traffic } from "./support.mjs";

const PAGES = [
  ["overview", "#/", /Message rates/],
  ["connections", "#/connections", /dash traffic/],
  ["channels", "#/channels", /confirm/],
  ["consumers", "#/consumers", /dash\.orders/],
  ["exchanges", "#/exchanges", /dash\.events/],
  ["exchange", "#/exchanges/%2F/dash.events", /order\.#/],
  ["exchange-publish", "#/exchanges/%2F/dash.events?tab=publish", /Routing key/],
  ["exchange-scheduled", "#/exchanges/%2F/dash.later?tab=scheduled", /1 message waits/],
  ["exchange-details", "#/exchanges/%2F/dash.events?tab=details", /dash\.unrouted/],
  ["default-exchange", "#/exchanges/%2F/amq.default", /\(default\)/],
  ["queues", "#/queues", /dash\.graves/],
  ["queue", "#/queues/%2F/dash.orders", /Acked/],
  ["queue-messages", "#/queues/%2F/dash.graves?tab=messages", /only looked at/],
  ["queue-get", "#/queues/%2F/dash.graves?tab=messages&do=get", /put them back/],
  ["queue-move", "#/queues/%2F/dash.graves?tab=messages&do=move", /redrive/],
  ["queue-consumers", "#/queues/%2F/dash.orders?tab=consumers", /amq\.ctag/],
  ["queue-bindings", "#/queues/%2F/dash.orders?tab=bindings", /order\.#/],
  ["queue-publish", "#/queues/%2F/dash.orders?tab=publish", /Persistent/],
  ["queue-settings", "#/queues/%2F/dash.orders?tab=settings", /dead-letter-exchange/],
  ["topology", "#/topology?vhost=%2F&name=dash", /dash\.events/],
  ["users", "#/users", /guest/],
  ["user", "#/users/guest", /Topic permissions/],
  ["vhosts", "#/vhosts", /Default type/],
  ["vhost", "#/vhosts/%2F", /Permissions/],
  ["policies", "#/policies", /Priority|None yet/],
  ["limits", "#/limits", /Of vhosts/],
  ["definitions", "#/definitions", /Export/],
  ["features", "#/features", /implicit_default_bindings/],
  ["logs", "#/logs", /info/],
];
const DIALOGS = [
  ["dialog-queue", "#/queues", "New queue"],
  ["dialog-exchange", "#/exchanges", "New exchange"],
  ["dialog-policy", "#/policies", "New policy"],
  ["dialog-user", "#/users", "New user"],
  ["dialog-vhost", "#/vhosts", "New vhost"],
  ["dialog-delete", "#/queues/%2F/dash.graves", "Delete"],
  ["dialog-find", "#/", "Find"],
];
const LOOKS = [["wide-light", { colorScheme: "light" }], ["narrow-dark", { colorScheme: "dark", viewport: PHONE }]];

let traffic;
before(async () => { traffic = await Traffic.start(); });
after(() => traffic.stop());

for (const [look, options] of LOOKS) {
  test(`all pages, ${look}`, async (t) => {
    const dashboard = await Dashboard.start(options);
    await t.test("login", async () => {
      await dashboard.page.goto(`${process.env.WARREN_HTTP}/`);
      await dashboard.page.getByLabel("User").waitFor();
      assert.deepEqual(await dashboard.unfit(), []);
      await picture(dashboard, `${look}-login`);
      await dashboard.logIn();
    });
    for (const [name, hash, expected] of PAGES) {
      await t.test(name, async () => {
        await dashboard.open(hash);
        await dashboard.page.locator("main", { hasText: expected }).waitFor();
        await picture(dashboard, `${look}-${name}`);
        const wide = await dashboard.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `the page is ${wide} pixels wider than the screen`);
        assert.deepEqual(await dashboard.unfit(), []);
        assert.deepEqual(dashboard.faults, []);
      });
    }
    for (const [name, hash, action, typed = "input:focus"] of DIALOGS) {
      await t.test(`dialog: ${action}`, async () => {
        await dashboard.open(hash);
        await dashboard.page.getByRole("button", { name: action, exact: true }).first().click();
        const dialog = dashboard.page.locator("dialog[open]");
        await dialog.locator(typed).waitFor();
        await picture(dashboard, `${look}-${name}`);
        assert.deepEqual(await dashboard.unfit(), []);
        await dashboard.page.keyboard.press("Escape");
        await dialog.waitFor({ state: "detached" });
      });
    }
    await t.test("one connection and one of its channels", async () => {
      await dashboard.open("#/connections");
      await dashboard.page.getByRole("link", { name: "dash traffic" }).click();
      await dashboard.page.locator("main", { hasText: "What the client says of itself" }).waitFor();
      assert.deepEqual(await dashboard.unfit(), []);
      await picture(dashboard, `${look}-connection`);
      await dashboard.page.getByRole("link", { name: "Channel 1" }).click();
      await dashboard.page.locator("main h1", { hasText: "Channel 1" }).waitFor();
      assert.deepEqual(await dashboard.unfit(), []);
      await picture(dashboard, `${look}-channel`);
    });
    await dashboard.stop();
  });
}

async function picture(dashboard, name) {
  const where = process.env.SCREENSHOTS;
  if (!where) return;
  mkdirSync(where, { recursive: true });
  await dashboard.page.screenshot({ path: `${where}/${name}.png`, fullPage: true });
}
