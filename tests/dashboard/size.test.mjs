// What a visit costs.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const MOST = 250 * 1024;

test("the whole dashboard is under 250 KB compressed", () => {
  const root = process.env.WARREN_DASHBOARD;
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  assert.ok(files.length > 20, `${files.length} files`);
  const size = files.reduce((sum, file) => sum + gzipSync(readFileSync(join(file.parentPath ?? file.path, file.name))).length, 0);
  console.log(`${(size / 1024).toFixed(1)} KB in ${files.length} files`);
  assert.ok(size < MOST, `${size} bytes`);
});
