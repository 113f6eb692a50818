#!/usr/bin/env bun
/** Destroys what runs and keeps the data with its network: bun run destroy; with --data those too. */
import { parseSettings } from "./lib/settings.ts";
import { settings as input } from "./settings.ts";

const { name, domain } = parseSettings(input);
const running = [
  "Client",
  ...(domain ? ["Dns"] : []),
  "Stats",
  ...(domain ? ["Certificate"] : []),
  "Servers",
];
const flags = process.argv.slice(2);
const unknown = flags.find((flag) => flag !== "--data");
if (unknown) {
  console.error(`Cannot use ${unknown}: expected --data or nothing`);
  process.exit(2);
}

cdk("destroy", "--force", ...running.map((stack) => name + stack));
if (flags.includes("--data")) {
  const discard = ["--context", "discardData=true"];
  // First without the protection against deletion, which is part of the stack.
  cdk("deploy", "--exclusively", ...discard, `${name}Data`);
  cdk("destroy", "--force", ...discard, `${name}Data`, `${name}Network`);
} else {
  console.error(`The data is kept in ${name}Data, and ${name}Network with it: --data destroys these too`);
}

function cdk(...command: readonly string[]): void {
  const { exitCode } = Bun.spawnSync(["bunx", "cdk", ...command], {
    cwd: import.meta.dir,
    stdio: ["inherit", "inherit", "inherit"],
  });
  if (exitCode !== 0) process.exit(exitCode);
}
