// A browser on a broker: pages that are logged in, and what must not happen on any of them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "amqplib";
import { chromium } from "playwright-core";

export const HTTP = process.env.WARREN_HTTP;
const AMQP = process.env.WARREN_AMQP_URL;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const DESKTOP = { width: 1360, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** The dashboard in one browser. Everything that a page should not do is kept in `faults`. */
export class Dashboard {
  faults = [];
  /** Texts of errors that a test brings about on purpose. */
  expected = [/Failed to load resource/];

  static async start({ width, ...options } = {}) {
    const own = new Dashboard();
    own.profile = await mkdtemp(join(tmpdir(), "warren-chromium-"));
    own.context = await chromium.launchPersistentContext(own.profile, { executablePath: "/usr/bin/chromium", args: FLAGS, viewport: DESKTOP, reducedMotion: "reduce", ...options });
    own.context.setDefaultTimeout(10_000);
    own.page = own.watch(await own.context.newPage());
    return own;
  }

  watch(page) {
    page.on("pageerror", (error) => this.faults.push(`error: ${error.stack}`));
    page.on("dialog", (dialog) => { this.faults.push(`a script ran: ${dialog.message()}`); dialog.dismiss(); });
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !this.expected.some((each) => each.test(text))) this.faults.push(`console: ${text}`);
    });
    page.on("request", (request) => {
      const { host, protocol } = new URL(request.url());
      if (protocol !== "data:" && protocol !== "blob:" && host !== new URL(HTTP).host) this.faults.push(`left the host: ${request.url()}`);
    });
    return page;
  }

  async logIn(user = "guest", password = "guest") {
    await this.page.goto(`${HTTP}/`);
    await this.page.getByLabel("User").fill(user);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Log in" }).click();
    await this.page.locator("main h1").waitFor();
  }

  /** Goes to a place and waits until it shows what it has. */
  async open(hash) {
    await this.page.evaluate((to) => new Promise((done) => {
      if (location.hash === to) return done();
      addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(done)), { once: true });
      location.hash = to;
      return undefined;
    }), hash);
    await this.page.locator("main .head h1").waitFor();
    await this.settled();
  }

  async settled() {
    await this.page.waitForFunction(() => !document.querySelector("main .waiting") && !document.querySelector(".list.busy"));
  }

  /** The serious faults that axe finds on what is shown. */
  async unfit() {
    if (!(await this.page.evaluate("typeof axe !== 'undefined'"))) await this.page.evaluate(AXE);
    const found = await this.page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
    const bad = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return bad.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  }

  /** Says yes in the question that is open; `typed` is what it wants typed. */
  async confirm(action, typed) {
    const dialog = this.page.locator("dialog[open]");
    if (typed !== undefined) await dialog.locator("label.field input").fill(typed);
    await dialog.locator("footer").getByRole("button", { name: action, exact: true }).click();
    await dialog.waitFor({ state: "detached" });
  }

  async noted(text) {
    await this.page.locator(".toast", { hasText: text }).first().waitFor();
  }

  async stop() {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
    assert.deepEqual(this.faults, []);
  }
}

/** Asks the API as an administrator. */
export async function api(method, path, body) {
  const answer = await fetch(`${HTTP}/api/${path}`, { method, headers: { authorization: `Basic ${btoa("guest:guest")}`, ...(body && { "content-type": "application/json" }) }, body: body && JSON.stringify(body) });
  assert.ok(answer.ok || (method === "DELETE" && answer.status === 404), `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** A name in a path. */
export const quote = encodeURIComponent;

/** A client that publishes and consumes all the time, over a topology with all kinds of routes. */
export class Traffic {
  static async start() {
    const own = new Traffic();
    own.connection = await connect(AMQP, { clientProperties: { connection_name: "dash traffic" } });
    own.channel = await own.connection.createConfirmChannel();
    const { channel } = own;
    await channel.assertExchange("dash.events", "topic", { alternateExchange: "dash.unrouted" });
    await channel.assertExchange("dash.unrouted", "fanout");
    await channel.assertExchange("dash.dead", "fanout");
    await channel.assertExchange("dash.later", "x-delayed-message", { arguments: { "x-delayed-type": "direct" } });
    await channel.assertQueue("dash.orders", { deadLetterExchange: "dash.dead", arguments: { "x-max-length": 1000 } });
    await channel.assertQueue("dash.graves");
    await channel.assertQueue("dash.lost");
    await channel.bindQueue("dash.orders", "dash.events", "order.#");
    await channel.bindQueue("dash.graves", "dash.dead", "");
    await channel.bindQueue("dash.lost", "dash.unrouted", "");
    await channel.bindQueue("dash.lost", "dash.later", "late");
    const { queue: mourner } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(mourner, "dash.dead", "");
    const died = new Promise((resolve) => { channel.consume(mourner, resolve, { noAck: true }); });
    channel.prefetch(20);
    let count = 0;
    await channel.consume("dash.orders", (message) => { if (message) count++ % 5 === 4 ? channel.nack(message, false, false) : channel.ack(message); });
    const publish = () => {
      channel.publish("dash.events", "order.new", Buffer.from(JSON.stringify({ order: count, at: Date.now() })), { contentType: "application/json", headers: { "x-kind": "test" } });
      channel.publish("dash.events", "nobody", Buffer.from("lost"));
    };
    for (let i = 0; i < 50; i++) publish();
    channel.publish("dash.later", "late", Buffer.from("later"), { headers: { "x-delay": 3_600_000 } });
    own.timer = setInterval(publish, 50);
    await channel.waitForConfirms();
    await died;
    return own;
  }

  /** A connection that does nothing. */
  static idle(name) {
    return connect(AMQP, { clientProperties: { connection_name: name } });
  }

  async stop() {
    clearInterval(this.timer);
    for (const name of ["dash.orders", "dash.graves", "dash.lost"]) await this.channel.deleteQueue(name);
    for (const name of ["dash.events", "dash.unrouted", "dash.dead", "dash.later"]) await this.channel.deleteExchange(name);
    await this.connection.close();
  }
}
