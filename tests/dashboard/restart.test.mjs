// The broker goes and comes back while somebody looks; it is one of this test's own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

const binary = process.env.WARREN_BINARY;
const skip = binary && existsSync(binary) ? false : "no broker to start: WARREN_BINARY is not there";
let data, broker, dashboard, port = "0";

/** Starts the broker, the second time on the port that it had before. */
async function start() {
  broker = spawn(binary, ["--data-dir", data, "--bind", "127.0.0.1", "--amqp-port", "0", "--http-port", port], { env: { ...process.env, WARREN_LOG_LEVEL: "info", WARREN_PROMETHEUS_PORT: "0" }, stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface(broker.stderr)) {
    const ready = /http=127\.0\.0\.1:(\d+)/.exec(line);
    if (!ready) continue;
    port = ready[1];
    broker.stderr.resume();
    return;
  }
  throw new Error("the broker does not start");
}

async function die() {
  broker.kill("SIGKILL");
  await once(broker, "exit");
}

before(async () => {
  if (skip) return;
  data = await mkdtemp(join(tmpdir(), "warren-restart-"));
  await start();
  process.env.WARREN_HTTP = `http://127.0.0.1:${port}`;
  const { Dashboard } = await import("./support.mjs");
  dashboard = await Dashboard.start();
  dashboard.expected.push(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET/);
  await dashboard.logIn();
});
after(async () => {
  await dashboard?.stop();
  broker?.kill("SIGKILL");
  if (data) await rm(data, { recursive: true, force: true });
});

for (const [name, hash, seen] of [["a list", "#/exchanges", "amq.topic"], ["the live log", "#/logs", "Warren is ready"]]) {
  test(`${name} says that the broker is gone, keeps what was seen, and goes on when it is back`, { skip }, async () => {
    const { page } = dashboard;
    await dashboard.open(hash);
    await page.locator("main", { hasText: seen }).waitFor();
    await die();
    await page.getByRole("button", { name: "Refresh now" }).click();
    await page.locator(".contact", { hasText: "No contact with the broker" }).waitFor();
    assert.match(await page.locator("main").textContent(), new RegExp(seen));
    assert.deepEqual(await dashboard.unfit(), []);
    await start();
    await page.locator(".contact").waitFor({ state: "detached" });
    await page.locator("main", { hasText: seen }).waitFor();
    assert.equal(await page.locator("main .wrong").count(), 0);
  });
}
