// What the dashboard costs with many queues and connections, on a broker of its own:
//
//   tests/dashboard/run --measure [BINARY] [QUEUES] [CONNECTIONS]
//
// default: target/release/warren 10000 1000. Three things are told of each list, of the overview and of the
// topology: after how many milliseconds it can be used (rows are there, nothing is being loaded), once loaded
// anew and once reached from another page; what its refreshing, every five seconds, costs the broker in a
// minute (of one processor, from /proc; what it takes while nobody looks is told first); and the memory that
// the page takes in the end. A debug build reads the dashboard's files from disk, a release build has its own;
// FILES=src/management/dashboard gives the browser those of the checkout instead. WATCH is for how many
// seconds each page is watched: 60 by default, 0 leaves that out.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const [binary, queues = "10000", connections = "1000"] = process.argv.slice(2);
const PAGES = [["queues", "#/queues"], ["queues, longest first", "#/queues?sort=ready&desc=1"], ["queues, filtered", "#/queues?name=999"], ["connections", "#/connections"], ["channels", "#/channels"], ["exchanges", "#/exchanges"], ["overview", "#/"], ["topology", "#/topology?vhost=%2F"]];
const ROWS = "main tbody tr, main .graph .node";
const TIMES = 7, TICKS = 100, SETTLE = 10;
const WATCHED = Number(process.env.WATCH ?? 60);

/** A line of a process that fits, as its match. */
async function line(stream, pattern) {
  for await (const text of createInterface(stream)) {
    const found = pattern.exec(text);
    if (found) return found;
  }
  throw new Error(`it ended without a line like ${pattern}`);
}

/** Seconds of processor time that a process has taken. */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

async function cost(pid, seconds) {
  const [before, start] = [cpu(pid), performance.now()];
  await pause(seconds * 1000);
  return 100 * (cpu(pid) - before) / ((performance.now() - start) / 1000);
}

/** Gives the browser these files in place of the broker's. */
async function instead(context, files) {
  const own = { contentType: "text/html", body: readFileSync(join(files, "index.html"), "utf8").replaceAll("{version}", "0") };
  await context.route(`${process.env.WARREN_HTTP}/`, (route) => route.fulfill(own));
  await context.route(/\/assets\/0\//, (route) => route.fulfill({ path: join(files, new URL(route.request().url()).pathname.replace("/assets/0/", "")) }));
}

const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
const told = (all) => `${Math.round(median(all))} ms (worst ${Math.round(Math.max(...all))})`;

const data = await mkdtemp(join(tmpdir(), "warren-measure-"));
const broker = spawn(binary, ["--data-dir", data, "--bind", "127.0.0.1", "--amqp-port", "0", "--http-port", "0"], { env: { ...process.env, WARREN_LOG_LEVEL: "info", WARREN_PROMETHEUS_PORT: "0" }, stdio: ["ignore", "ignore", "pipe"] });
let idle, dashboard;
try {
  const [, port, http] = await line(broker.stderr, /127\.0\.0\.1:(\d+).*http=127\.0\.0\.1:(\d+)/);
  process.env.WARREN_HTTP = `http://127.0.0.1:${http}`;
  broker.stderr.resume();
  idle = spawn(binary, ["perf", "--uri", `amqp://guest:guest@127.0.0.1:${port}/`, "--idle-queues", queues, "--idle-connections", connections, "--duration", "3600"], { stdio: ["ignore", "ignore", "pipe"] });
  console.log((await line(idle.stderr, /(holding .*)/))[1]);
  idle.stderr.resume();

  const { Dashboard } = await import("./support.mjs");
  dashboard = await Dashboard.start();
  const { page } = dashboard;
  if (process.env.FILES) await instead(dashboard.context, process.env.FILES);
  await page.addInitScript((rows) => {
    // When something can be used first: looked at each time it is drawn.
    globalThis.usable = () => new Promise((done) => {
      const look = () => (document.querySelector(rows) && !document.querySelector("main .waiting, main .list.busy") ? done(performance.now()) : requestAnimationFrame(look));
      look();
    });
    globalThis.first = usable();
  }, ROWS);
  await dashboard.logIn();

  for (const [name, hash] of PAGES) {
    const anew = [], reached = [];
    for (let time = 0; time < TIMES; time++) {
      await page.goto(`${process.env.WARREN_HTTP}/${hash}`);
      await page.reload();
      anew.push(await page.evaluate("first"));
      await dashboard.open("#/features");
      reached.push(await page.evaluate(async (to) => {
        const start = performance.now();
        location.hash = to;
        await new Promise((changed) => { addEventListener("hashchange", () => requestAnimationFrame(changed), { once: true }); });
        return (await usable()) - start;
      }, hash));
    }
    console.log(`${name}: loaded in ${told(anew)}, reached in ${told(reached)}`);
  }

  if (WATCHED > 0) await watch(dashboard);
  assert.deepEqual(dashboard.faults, []);
} finally {
  await dashboard?.stop();
  idle?.kill();
  broker.kill();
  await rm(data, { recursive: true, force: true });
}

/** What the broker and the page take while pages refresh by themselves. */
async function watch({ context, page }) {
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable");
  await page.goto("about:blank");
  await pause(SETTLE * 1000);
  const alone = await cost(broker.pid, WATCHED);
  console.log(`the broker takes ${alone.toFixed(2)} % while nobody looks`);
  for (const [name, hash] of PAGES) {
    await page.goto(`${process.env.WARREN_HTTP}/${hash}`);
    await page.evaluate("first");
    await pause(SETTLE * 1000);
    let asked = 0;
    const count = (request) => { asked += request.url().includes("/api/") ? 1 : 0; };
    page.on("requestfinished", count);
    const taken = await cost(broker.pid, WATCHED);
    page.off("requestfinished", count);
    const metrics = Object.fromEntries((await devtools.send("Performance.getMetrics")).metrics.map((each) => [each.name, each.value]));
    console.log(`${name}: the broker ${taken.toFixed(2)} % with ${asked} requests, the page ${(metrics.JSHeapUsedSize / 1e6).toFixed(1)} MB, ${metrics.Nodes} nodes`);
  }
}
