import type { Flags } from "../../lib/flags.ts";

/** Gives the names of all environment variables that an entry reads. */
export function variablesOf(entry: string, flags: Flags): ReadonlySet<string> {
  const names = Object.values(flags).flatMap(({ flag, sharedEnv, secret }) => {
    const name = flag.toUpperCase().replaceAll("-", "_");
    const all = [`ETH_${entry.toUpperCase()}_${name}`, `ETH_${name}`, ...(sharedEnv ? [sharedEnv] : [])];
    return secret ? [...all, ...all.map((variable) => `${variable}_FILE`)] : all;
  });
  return new Set(names);
}
