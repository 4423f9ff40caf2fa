// What is drawn of a vhost, and where: the rules alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// A browser knows the files as modules by their type; Node is told.
const source = readFileSync(`${process.env.WARREN_DASHBOARD}/js/topology/shape.js`, "utf8");
const { BOX, MOST_QUEUES, pick, place, way } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const queue = (name, more = {}) => ({ name, messages: 0, consumers: 0, arguments: {}, effective_policy_definition: {}, ...more });
const binding = (source, destination, key = "", type = "queue") => ({ source, destination, destination_type: type, routing_key: key });
const vhost = (more) => ({ exchanges: [], queues: [], bindings: [], consumers: [], names: new Map(), ...more });
const named = (edges, kind) => edges.filter((edge) => edge.kind === kind).map(({ from, to }) => [from.slice(2), to.slice(2)]);

test("bindings between the same two ends are one edge, with all their keys", () => {
  const { edges } = pick(vhost({ queues: [queue("q")], bindings: [binding("x", "q", "a"), binding("x", "q", "b"), binding("", "q", "q")] }));
  assert.deepEqual(edges.map((edge) => edge.keys), [["a", "b"]]);
});

test("a rate stands at an edge where it is the only one to its queue", () => {
  const busy = { message_stats: { publish_details: { rate: 7 } } };
  const { edges } = pick(vhost({ queues: [queue("one", busy), queue("two", busy)], bindings: [binding("x", "one"), binding("x", "two"), binding("y", "two")] }));
  assert.deepEqual(edges.map((edge) => edge.rate), [7, undefined, undefined]);
});

test("dead letters go where arguments say, or else the policy; the default exchange is left out", () => {
  const queues = [queue("a", { arguments: { "x-dead-letter-exchange": "dlx" }, effective_policy_definition: { "dead-letter-exchange": "other" } }), queue("b", { effective_policy_definition: { "dead-letter-exchange": "", "dead-letter-routing-key": "a" } })];
  assert.deepEqual(named(pick(vhost({ queues })).edges, "dead"), [["a", "dlx"], ["b", "a"]]);
});

test("of many queues the liveliest are drawn", () => {
  const queues = Array.from({ length: 1000 }, (_, at) => queue(`q${at}`, { messages: at === 900 ? 5 : 0 }));
  const { nodes, left } = pick(vhost({ queues }));
  assert.equal(nodes.size, MOST_QUEUES);
  assert.equal(left, 1000 - MOST_QUEUES);
  assert.ok(nodes.has("q\nq900"));
});

test("exchanges stand before what they lead to, also in a circle, and nobody stands on another", () => {
  const shape = pick(vhost({ queues: [queue("q")], bindings: [binding("a", "b", "", "exchange"), binding("b", "a", "", "exchange"), binding("b", "q")], consumers: [{ queue: { name: "q" }, consumer_tag: "t", channel_details: { connection_name: "c" } }] }));
  const { wide, tall } = place(shape);
  const all = [...shape.nodes.values()];
  for (const { x, y } of all) assert.ok(x >= 0 && x < wide && y > 0 && y < tall, `${x} ${y}`);
  assert.equal(new Set(all.map(({ x, y }) => `${x} ${y}`)).size, all.length);
  const at = (id) => shape.nodes.get(id).x;
  assert.ok(at("e\nb") < at("q\nq") && at("q\nq") < at("c\nc"));
});

test("alternate routes are drawn, whether the exchange or its policy says so", () => {
  const exchanges = [{ name: "a", arguments: { "alternate-exchange": "x" } }, { name: "b", arguments: {}, policy: "p" }];
  const { edges } = pick(vhost({ exchanges, policies: new Map([["p", { "alternate-exchange": "y" }]]), queues: [queue("q")], bindings: [binding("a", "q"), binding("b", "q")] }));
  assert.deepEqual(named(edges, "alternate"), [["a", "x"], ["b", "y"]]);
});

test("an edge that passes a column has a place of its own there, and uses the room that there is", () => {
  const shape = pick(vhost({ queues: [queue("q")], bindings: [binding("a", "b", "", "exchange"), binding("b", "q"), binding("a", "q")] }));
  const narrow = place(shape).wide;
  assert.ok(place(shape, 5000).wide > narrow);
  place(shape);
  const far = shape.edges.find((edge) => edge.from === "e\na" && edge.to === "q\nq");
  const [bend] = far.via;
  const passes = shape.nodes.get("e\nb");
  assert.equal(bend.x, passes.x);
  assert.notEqual(bend.y, passes.y);
  const { path } = way(far, shape.nodes.get(far.from), shape.nodes.get(far.to));
  assert.match(path, new RegExp(`L${bend.x + BOX} ${bend.y}`));
});
