/**
 * Does to servers what the internet does, and checks that they keep their promises.
 *
 * Usage: bun run chaos [--long] [--only fuzz,idle,flood,shout,memory,faults,soak,tls]
 *
 * Prints one line for each thing that was done, and ends with status 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import { flood, idle, memory, shout } from "./crowds.ts";
import { faults } from "./faults.ts";
import { fuzz } from "./fuzz.ts";
import { writeLine, type Scenario } from "./ledger.ts";
import { soak } from "./soak.ts";
import { tls } from "./tls.ts";

const SCENARIOS: Readonly<Record<string, Scenario>> = { fuzz, idle, flood, shout, memory, faults, soak, tls };

const { values } = parseArgs({
  options: { long: { type: "boolean", default: false }, only: { type: "string" } },
});
const names = values.only?.split(",") ?? Object.keys(SCENARIOS);
const startedAt = performance.now();
let broken = 0;
for (const name of names) {
  const scenario = SCENARIOS[name];
  if (!scenario)
    throw new Error(`Cannot play "${name}": expected some of ${Object.keys(SCENARIOS).join(", ")}`);
  for (const line of await scenario({ isLong: values.long })) if (!writeLine(line)) broken++;
}
const seconds = Math.round((performance.now() - startedAt) / 1000);
console.log(
  `${values.long ? "Long" : "Short"} form in ${seconds} s: ${broken === 0 ? "every promise was kept" : `${broken} lines with a broken promise`}`,
);
process.exit(broken === 0 ? 0 : 1);
