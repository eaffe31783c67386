// Builds the page into dist/: the same bytes from the same sources, whoever builds them and where. dist/ is committed, so that
// building Roomkeeper needs no Node.
// Usage: node build.mjs [--watch] [--out DIRECTORY]
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({ options: { watch: { type: "boolean" }, out: { type: "string" } } });
const dist = options.out ? path.resolve(options.out) : path.join(here, "dist");

/** What may be in the page that people are sent. */
const LICENCES = new Set(["Apache-2.0", "MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "(Apache-2.0 AND BSD-3-Clause)"]);

const settings = {
  absWorkingDir: here,
  bundle: true,
  // In the place of the browser's own `WebSocket` and `fetch`, in livekit-client too.
  inject: ["src/signalling.ts"],
  minify: true,
  // One script of the page itself: a page that waits for its call for hours must not ask a newer gateway for parts of an older page.
  splitting: false,
  target: ["chrome108", "firefox115", "safari16"],
  charset: "utf8",
  legalComments: "none",
  outdir: "dist/assets",
  write: false,
  logLevel: "warning",
};

/** The licence texts of a package and of all that it brings, by name. livekit-client has most of its dependencies inside. */
async function licences(names, found = new Map()) {
  for (const name of names) {
    if (found.has(name)) continue;
    const folder = path.join(here, "node_modules", name);
    const manifest = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
    if (!LICENCES.has(manifest.license)) throw new Error(`${name} is under ${manifest.license}: may it be in the page? See LICENCES`);
    const file = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
    const text = file ? await readFile(path.join(folder, file), "utf8") : "(The package holds no text of its licence.)";
    found.set(name, `${name} ${manifest.version}: ${manifest.license}\n\n${text.trim()}\n`);
    await licences(Object.keys(manifest.dependencies ?? {}), found);
  }
  return found;
}

/** The name of a file with the digest of its content. */
function hashed(name, content) {
  const { name: stem, ext } = path.parse(name);
  return `${stem}-${createHash("sha256").update(content).digest("hex").slice(0, 16)}${ext}`;
}

async function build() {
  const texts = [...(await licences(["livekit-client"])).entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  const files = new Map();
  const add = (name, content) => {
    const address = `assets/${hashed(name, content)}`;
    files.set(address, content);
    // Relative: the page may be reached under a path.
    return address;
  };
  const licence = add("licences.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
  const banner = `/* Licences of what is in here: ${path.basename(licence)} */`;
  const built = await esbuild.build({ ...settings, entryPoints: { app: "src/main.ts", style: "src/style.css" }, format: "esm", banner: { js: banner } });
  const output = (extension) => built.outputFiles.find((file) => file.path.endsWith(extension)).text;
  const addresses = {
    script: add("app.js", output(".js")),
    style: add("style.css", output(".css")),
    icon: add("icon.svg", await readFile(path.join(here, "src/icon.svg"), "utf8")),
  };
  // Under one name in all versions, so that it is there whichever version of the gateway is asked for it.
  const start = await esbuild.build({ ...settings, entryPoints: { start: "src/start.ts" }, format: "iife" });
  files.set("start.js", start.outputFiles[0].text);
  const template = await readFile(path.join(here, "src/index.html"), "utf8");
  files.set("index.html", template.replace(/\{\{(\w+)\}\}/g, (_, name) => addresses[name]));
  await rm(dist, { recursive: true, force: true });
  for (const [name, content] of files) {
    await mkdir(path.dirname(path.join(dist, name)), { recursive: true });
    await writeFile(path.join(dist, name), content);
  }
}

await build();
if (options.watch) {
  const { watch } = await import("node:fs");
  let pending;
  watch(path.join(here, "src"), { recursive: true }, () => {
    clearTimeout(pending);
    pending = setTimeout(() => build().catch((error) => process.stderr.write(`${error.message}\n`)), 100);
  });
}
