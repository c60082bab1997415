// Builds what the site ships: static/app.js for every page, static/signing.js for those who sign.
// `--out FOLDER` writes elsewhere, so that the shipped files can be compared; `--tests` builds the unit tests.
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { idlModule } from "./idl.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const IDL = join(here, "../../client/flair_client/chain/flair.json");
const outFlag = process.argv.indexOf("--out");
const out = outFlag < 0 ? join(here, "../flair_web/static") : process.argv[outFlag + 1];

const common = {
  absWorkingDir: here,
  bundle: true,
  charset: "utf8",
  legalComments: "none",
  target: "es2022",
  logLevel: "warning",
  define: { "process.env.NODE_ENV": '"production"', __DEV__: "false" },
};

/** Writes the program's IDL as a module; tells whether it was another before. */
async function refreshIdl() {
  const path = join(here, "src/signing/idl.ts");
  const wanted = idlModule(JSON.parse(await readFile(IDL, "utf8")));
  const before = await readFile(path, "utf8").catch(() => "");
  if (before !== wanted) await writeFile(path, wanted);
  return before !== wanted;
}

async function buildSite() {
  const changed = await refreshIdl();
  if (changed && outFlag >= 0) throw new Error("src/signing/idl.ts was not the program's IDL; it is now, commit it");
  await mkdir(out, { recursive: true });
  // The second is loaded only when somebody signs, from beside the first.
  for (const [entry, name] of [["src/app.ts", "app.js"], ["src/signing/main.ts", "signing.js"]]) {
    await build({
      ...common,
      entryPoints: [entry],
      outfile: join(out, name),
      format: "esm",
      minify: true,
      external: ["./signing.js"],
    });
  }
}

async function buildTests() {
  const names = (await readdir(join(here, "tests"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: names.map((name) => join("tests", name)),
    outdir: join(here, "build/tests"),
    format: "esm",
    platform: "node",
  });
}

await (process.argv.includes("--tests") ? buildTests() : buildSite());
