// Everything that can be done, done by clicking; the API tells whether it was.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, Dashboard, Traffic } from "./support.mjs";

let dashboard, page, traffic;
before(async () => {
  traffic = await Traffic.start();
  dashboard = await Dashboard.start();
  page = dashboard.page;
  await dashboard.logIn();
});
after(async () => {
  for (const path of ["queues/%2F/act.q", "queues/%2F/act.copy", "queues/%2F/act.b1", "queues/%2F/act.b2", "exchanges/%2F/act.x", "users/act-user", "vhosts/act-vhost", "policies/%2F/act-policy"]) await api("DELETE", path);
  await traffic.stop();
  await dashboard.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const queue = (name) => api("GET", `queues/%2F/${name}`);
const messages = async (name) => (await api("GET", `queues/%2F/${name}/peek`)).messages;
const gone = async (path) => (await fetch(`${process.env.WARREN_HTTP}/api/${path}`, { headers: { authorization: `Basic ${btoa("guest:guest")}` } })).status === 404;

test("a queue is declared, with arguments", async () => {
  await dashboard.open("#/queues");
  await button("New queue").click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Name *").fill("act.q");
  await dialog.getByRole("button", { name: "+ x-max-length", exact: true }).click();
  await dialog.getByLabel("Value of x-max-length").fill("500");
  assert.deepEqual(await dashboard.unfit(), []);
  await dialog.getByRole("button", { name: "Declare queue" }).click();
  await page.locator("h1", { hasText: "act.q" }).waitFor();
  assert.deepEqual((await queue("act.q")).arguments["x-max-length"], 500);
});

test("what the broker refuses is said where it was asked for", async () => {
  await dashboard.open("#/queues");
  await button("New queue").click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Name *").fill("act.q");
  await dialog.getByRole("button", { name: "Declare queue" }).click();
  await dialog.getByRole("alert").filter({ hasText: "inequivalent arg" }).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
});

test("messages are published to it and looked at without being taken", async () => {
  await dashboard.open("#/queues/%2F/act.q?tab=publish");
  for (const payload of ['{"order": 1}', "plain text"]) {
    await page.getByLabel("Payload", { exact: true }).fill(payload);
    await button("Publish").click();
    await dashboard.noted("Published.");
    assert.ok((await messages("act.q")).some((each) => each.payload === payload));
  }
  await dashboard.open("#/queues/%2F/act.q?tab=messages");
  await page.locator(".message summary").first().click();
  await page.locator(".payload pre", { hasText: '"order": 1' }).waitFor();
  await page.getByRole("group", { name: "Show as" }).first().getByRole("button", { name: "Bytes" }).click();
  await page.locator(".payload pre", { hasText: "7b 22" }).waitFor();
  await page.getByLabel("Find messages").fill("plain");
  await page.getByRole("main").getByRole("button", { name: "Find" }).click();
  await page.locator(".message", { hasText: "plain text" }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".message").length === 1);
  assert.ok((await messages("act.q")).every((each) => !each.redelivered));
});

test("messages are got and put back", async () => {
  await dashboard.open("#/queues/%2F/act.q?tab=messages&do=get");
  await button("Get").click();
  await page.locator(".message", { hasText: "plain text" }).waitFor();
  assert.equal((await messages("act.q")).length, 2);
});

test("messages are moved to another queue", async () => {
  await api("PUT", "queues/%2F/act.copy", {});
  await dashboard.open("#/queues/%2F/act.q?tab=messages&do=move");
  await page.getByLabel("Move", { exact: true }).selectOption("queue");
  await page.getByLabel("Queue *").fill("act.copy");
  await page.getByLabel("At most").fill("1");
  await button("Move…").click();
  await dashboard.confirm("Move");
  await page.locator("main", { hasText: "1 message moved" }).waitFor();
  assert.equal((await messages("act.copy")).length, 1);
});

test("dead letters go back to where they died", async () => {
  const { messages: graves } = await queue("dash.graves");
  await dashboard.open("#/queues/%2F/dash.graves?tab=messages&do=move");
  await page.getByLabel("At most").fill("1");
  await button("Move…").click();
  await dashboard.confirm("Move");
  await page.locator("main", { hasText: "1 message moved" }).waitFor();
  assert.ok(graves >= 1);
});

test("a queue is paused and goes on", async () => {
  await dashboard.open("#/queues/%2F/act.q");
  await button("Pause").click();
  await dashboard.confirm("Pause");
  await button("Resume").waitFor();
  assert.equal((await queue("act.q")).state, "paused");
  await button("Resume").click();
  await button("Pause").waitFor();
  assert.equal((await queue("act.q")).state, "running");
});

test("an exchange is declared, bound, published to, unbound and deleted", async () => {
  await dashboard.open("#/exchanges");
  await button("New exchange").click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Name *").fill("act.x");
  await dialog.getByLabel("Type", { exact: true }).first().selectOption("topic");
  await dialog.getByRole("button", { name: "Declare exchange" }).click();
  await page.locator("h1", { hasText: "act.x" }).waitFor();
  await page.getByLabel("Called *").fill("act.q");
  await page.getByLabel("Routing key").fill("a.#");
  await button("Bind").click();
  await page.locator("svg.graph", { hasText: "act.q" }).waitFor();
  await dashboard.open("#/exchanges/%2F/act.x?tab=publish");
  await page.getByLabel("Routing key").fill("nowhere");
  await page.getByLabel("Payload", { exact: true }).fill("one");
  await button("Publish").click();
  await dashboard.noted("went nowhere");
  await page.getByLabel("Routing key").fill("a.b");
  await button("Publish").click();
  await dashboard.noted("Published.");
  assert.ok((await messages("act.q")).some((each) => each.routing_key === "a.b"));
  await dashboard.open("#/exchanges/%2F/act.x");
  await button("Unbind").click();
  await dashboard.confirm("Unbind");
  assert.deepEqual(await api("GET", "exchanges/%2F/act.x/bindings/source"), []);
  await button("Delete").click();
  await dashboard.confirm("Delete exchange", "act.x");
  assert.ok(await gone("exchanges/%2F/act.x"));
});

test("a queue is purged, and deleted only by its name", async () => {
  await dashboard.open("#/queues/%2F/act.q");
  await button("Purge").click();
  await dashboard.confirm("Purge");
  assert.deepEqual(await messages("act.q"), []);
  await api("POST", "exchanges/%2F/amq.default/publish", { routing_key: "act.q", payload: "x", payload_encoding: "string", properties: {} });
  await button("Refresh now").click();
  await page.locator(".tile", { hasText: "Ready" }).locator("b", { hasText: "1" }).waitFor();
  await button("Delete").click();
  assert.ok(await page.locator("dialog").getByRole("button", { name: "Delete queue" }).isDisabled(), "its name has to be typed");
  assert.deepEqual(await dashboard.unfit(), []);
  await dashboard.confirm("Delete queue", "act.q");
  assert.ok(await gone("queues/%2F/act.q"));
});

test("several queues are chosen and deleted at once", async () => {
  for (const name of ["act.b1", "act.b2"]) await api("PUT", `queues/%2F/${name}`, {});
  await dashboard.open("#/queues?name=act.b");
  await page.getByLabel("Choose all on this page").check();
  await page.locator(".bulk", { hasText: "2 chosen" }).getByRole("button", { name: "Delete" }).click();
  await dashboard.confirm("Delete");
  assert.ok(await gone("queues/%2F/act.b1") && await gone("queues/%2F/act.b2"));
});

test("a user gets permissions, topic permissions, limits, and goes", async () => {
  await dashboard.open("#/users");
  await button("New user").click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Name *").fill("act-user");
  await dialog.getByLabel("Password *").fill("secret");
  await dialog.getByLabel("monitoring").check();
  await dialog.getByRole("button", { name: "Make user" }).click();
  await page.locator("h1", { hasText: "act-user" }).waitFor();
  await page.getByLabel("Configure").fill("^act");
  await button("Set permission").click();
  await page.getByRole("region", { name: "Permissions", exact: true }).locator("tr", { hasText: "^act" }).waitFor();
  assert.equal((await api("GET", "permissions/%2F/act-user")).configure, "^act");
  await button("Set topic permission").click();
  await page.getByRole("region", { name: "Topic permissions" }).locator("tr", { hasText: "amq.topic" }).waitFor();
  assert.equal((await api("GET", "topic-permissions/%2F/act-user"))[0].exchange, "amq.topic");
  await page.getByLabel("Channels at most").fill("7");
  await button("Save limits").click();
  await dashboard.noted("Limits are saved");
  assert.equal((await api("GET", "user-limits/act-user"))[0].value["max-channels"], 7);
  await dashboard.open("#/limits");
  await page.locator("main", { hasText: "act-user" }).waitFor();
  await dashboard.open("#/users/act-user");
  await button("Clear").first().click();
  await dashboard.confirm("Clear");
  assert.ok(await gone("permissions/%2F/act-user"));
  await button("Delete").click();
  await dashboard.confirm("Delete");
  assert.ok(await gone("users/act-user"));
});

test("a vhost is made, protected and deleted by its name", async () => {
  await dashboard.open("#/vhosts");
  await button("New vhost").click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Name *").fill("act-vhost");
  await dialog.getByLabel("Description").fill("for a test");
  await dialog.getByRole("button", { name: "Make vhost" }).click();
  await page.locator("h1", { hasText: "act-vhost" }).waitFor();
  await button("Change").click();
  await dialog.getByLabel("Traced (firehose)").check();
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.locator(".badge", { hasText: "traced" }).waitFor();
  assert.equal((await api("GET", "vhosts/act-vhost")).tracing, true);
  await button("Protect").click();
  await button("Unprotect").waitFor();
  assert.ok(await button("Delete").isDisabled());
  await button("Unprotect").click();
  await button("Protect").waitFor();
  await button("Delete").click();
  await dashboard.confirm("Delete vhost", "act-vhost");
  assert.ok(await gone("vhosts/act-vhost"));
});

test("a policy shows what it fits while it is typed", async () => {
  await dashboard.open("#/policies?vhost=%2F");
  await button("New policy").click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Name *").fill("act-policy");
  await dialog.getByLabel("Pattern *").fill("^dash\\.gr");
  await dialog.getByLabel("Applies to").selectOption("queues");
  await dialog.locator(".fits", { hasText: "dash.graves" }).waitFor();
  assert.deepEqual(await dashboard.unfit(), []);
  await dialog.getByRole("button", { name: "+ max-length", exact: true }).click();
  await dialog.getByLabel("Value of max-length").fill("123456");
  await dialog.getByRole("button", { name: "Make policy" }).click();
  await dialog.waitFor({ state: "detached" });
  await dashboard.open("#/queues/%2F/dash.graves?tab=settings");
  await page.locator("tr", { hasText: "max-length" }).filter({ hasText: "act-policy" }).or(page.locator("tr", { hasText: "123456" })).first().waitFor();
  await dashboard.open("#/policies?vhost=%2F");
  await page.locator("tr", { hasText: "act-policy" }).getByRole("button", { name: "Delete" }).click();
  await dashboard.confirm("Delete policy");
  assert.ok(await gone("policies/%2F/act-policy"));
});

test("a queue says what becomes of messages that come back, and which wait for their retry", async (t) => {
  t.after(() => api("DELETE", "queues/%2F/act.retried"));
  await api("PUT", "queues/%2F/act.retried", { arguments: { "x-retry-delay": 3_600_000, "x-retry-attempts": 2 } });
  await traffic.channel.sendToQueue("act.retried", Buffer.from("again"));
  await traffic.channel.waitForConfirms();
  await new Promise((done) => {
    traffic.channel.consume("act.retried", (message) => { traffic.channel.nack(message); done(); }, { consumerTag: "act.retried" });
  });
  await traffic.channel.cancel("act.retried");
  await dashboard.open("#/queues/%2F/act.retried?tab=settings");
  await page.locator(".steps li", { hasText: "waits 1 h, then 1 h; then it is handed out again" }).waitFor();
  await page.locator("tr", { hasText: "retry-multiplier" }).filter({ hasText: "default" }).waitFor();
  await dashboard.open("#/queues/%2F/act.retried");
  await page.locator(".tile", { hasText: "Wait for a retry" }).locator("b", { hasText: "1" }).waitFor();
  await dashboard.open("#/queues/%2F/act.retried?tab=messages");
  await page.locator(".message summary", { hasText: "waits for its retry" }).click();
  await page.locator(".message dd", { hasText: /^in (1 h|59 min)/ }).waitFor();
});

test("the broker gets another name", async () => {
  const { name } = await api("GET", "cluster-name");
  await dashboard.open("#/");
  await button("Rename").click();
  const dialog = page.locator("dialog[open]");
  for (const next of ["rabbit hole", name]) {
    await dialog.getByLabel("Name *").fill(next);
    await dialog.getByRole("button", { name: "Rename" }).click();
    await page.locator("h1", { hasText: next }).waitFor();
    assert.equal((await api("GET", "cluster-name")).name, next);
    if (next !== name) await button("Rename").click();
  }
});

test("a question goes with the page that asked it", async () => {
  await dashboard.open("#/queues");
  await dashboard.open("#/queues/%2F/dash.graves");
  await button("Purge").click();
  await page.locator("dialog[open]").waitFor();
  await page.goBack();
  await page.locator("h1", { hasText: "Queues" }).waitFor();
  await page.locator("dialog").waitFor({ state: "detached" });
});

test("definitions go out and come in", async () => {
  await dashboard.open("#/definitions");
  const download = page.waitForEvent("download");
  await button("Export").click();
  const text = await (await (await download).createReadStream()).toArray();
  const definitions = JSON.parse(Buffer.concat(text).toString());
  assert.ok(definitions.users.some((user) => user.name === "guest"));
  const more = { ...definitions, policies: [], queues: [{ name: "act.copy", vhost: "/", durable: false, auto_delete: false, arguments: {} }] };
  await api("DELETE", "queues/%2F/act.copy");
  await page.getByLabel("File").setInputFiles({ name: "definitions.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(more)) });
  await page.locator("main", { hasText: "1 entry" }).waitFor();
  await button("Import").click();
  await dashboard.noted("taken over");
  assert.equal((await queue("act.copy")).name, "act.copy");
});

test("a scheduled message is cancelled", async () => {
  await dashboard.open("#/exchanges/%2F/dash.later?tab=scheduled");
  await page.locator(".message summary").first().click();
  await button("Cancel").click();
  await dashboard.confirm("Cancel message");
  await page.locator("main", { hasText: "Nothing waits here" }).waitFor();
});

test("a connection is closed with a reason", async (t) => {
  const victim = await Traffic.idle("dash victim");
  t.after(() => victim.close().catch(() => {}));
  const closed = new Promise((resolve) => { victim.on("error", resolve); victim.on("close", resolve); });
  await dashboard.open("#/connections");
  await page.getByRole("link", { name: "dash victim" }).click();
  await page.locator("h1", { hasText: "dash victim" }).waitFor();
  await button("Close").first().click();
  await page.locator("dialog").getByLabel("Reason, which the client is told").fill("moving house");
  await dashboard.confirm("Close");
  assert.match(String(await closed), /moving house/);
});
