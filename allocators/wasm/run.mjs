// run.mjs: runs a WASI program in Node.
//
//     node run.mjs MODULE.wasm [--root FOLDER] [ARGUMENT …]
//
// The program sees FOLDER as /. Its exit status is this one's; a trap is 134, as an abort is elsewhere.
import { readFile } from "node:fs/promises";
import process from "node:process";
import v8 from "node:v8";
import { WASI } from "node:wasi";

// Node 20 calls WASI's functions by a path of V8's that loses the stack once they are hot.
v8.setFlagsFromString("--no-turbo-fast-api-calls");

const [module, ...rest] = process.argv.slice(2);
if (!module) {
  console.error("usage: node run.mjs MODULE.wasm [--root FOLDER] [ARGUMENT …]");
  process.exit(2);
}
const root = rest[0] === "--root" ? rest.splice(0, 2)[1] : undefined;
const wasi = new WASI({ version: "preview1", args: [module, ...rest], preopens: root ? { "/": root } : {}, returnOnExit: true });
try {
  const { instance } = await WebAssembly.instantiate(await readFile(module), { wasi_snapshot_preview1: wasi.wasiImport });
  process.exitCode = wasi.start(instance);
} catch (error) {
  const trapped = error instanceof WebAssembly.RuntimeError;
  console.error(`${module}: ${trapped ? error.stack : error.message}`);
  process.exitCode = trapped ? 134 : 1;
}
