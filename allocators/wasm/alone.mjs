// alone.mjs: the allocator's module by itself: how large it is, and what its four functions do.
//
//     node alone.mjs MODULE.wasm MOST_BYTES
//
// MODULE may be of 32 or 64 bits. Prints its size; exit 1 where it is larger than MOST_BYTES or a function is wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import process from "node:process";
import v8 from "node:v8";

v8.setFlagsFromString("--experimental-wasm-memory64"); // before Node 24 they are behind a flag

const [path, most] = process.argv.slice(2);
if (!(Number(most) > 0)) {
  console.error("usage: node alone.mjs MODULE.wasm MOST_BYTES");
  process.exit(2);
}
const bytes = await readFile(path);
const { exports } = (await WebAssembly.instantiate(bytes)).instance;
const is64 = isWide();

// Functions of a module of 64 bits take and give BigInt.
function isWide() {
  try {
    exports.init(0);
    return false;
  } catch {
    return true;
  }
}
const word = (value) => (is64 ? BigInt(value) : value);
const call = (name, ...values) => Number(exports[name](...values.map(word)) ?? 0);
const memory = () => exports.memory.buffer;

const limit = 64 << 20;
const before = memory().byteLength;
call("init", limit);
const small = [];
for (let i = 0; i < 5000; i++) {
  const size = 1 + (i % 200);
  const at = call("alloc", size, 8);
  assert.ok(at > 0 && at % 8 === 0, `block ${i} lies at ${at}`);
  new Uint8Array(memory(), at, size).fill(i % 251);
  small.push([at, size]);
}
small.forEach(([at, size], i) => {
  assert.ok(new Uint8Array(memory(), at, size).every((byte) => byte === i % 251), `block ${i} has changed`);
  call("free", at, size, 8);
});
const large = call("alloc", 40 << 20, 4096);
assert.ok(large > 0 && large % 4096 === 0, "40 MiB are refused");
assert.equal(call("resize", large, 40 << 20, 1 << 20, 4096), 1, "a large block does not shrink");
assert.equal(call("resize", large, 1 << 20, 30 << 20, 4096), 1, "it does not grow into what it gave up");
assert.equal(call("alloc", 64 << 20, 8), 0, "more than the limit is served");
call("free", large, 30 << 20, 4096);
assert.equal(call("alloc", 50 << 20, 8) > 0, true, "what was freed does not serve with what is left");
assert.ok(memory().byteLength - before <= limit, "the memory has grown past the limit");

console.log(`${path}: ${bytes.length} bytes, at most ${most}; memory grew by ${memory().byteLength - before} of ${limit} bytes`);
assert.ok(bytes.length <= Number(most), `${bytes.length} bytes are more than ${most}`);
