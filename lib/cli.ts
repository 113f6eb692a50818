import { readFileSync } from "node:fs";
import { defineCommand, renderUsage, type ArgsDef } from "citty";
import type { Flag, Flags, SettingsOf } from "./flags.ts";
import { nearest } from "./nearest.ts";

/** What a command line tool is called, does and takes. */
export interface Entry<F extends Flags> {
  /** Name, which is also part of its environment variables: `ETH_<NAME>_<FLAG>`. */
  readonly name: string;
  readonly version: string;
  /** One sentence. */
  readonly summary: string;
  readonly flags: F;
  /** Command lines worth copying. */
  readonly examples: readonly string[];
  /** Throws a {@linkcode UsageError} when settings do not go together. */
  readonly check?: (settings: SettingsOf<F>) => void;
}

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A command line or an environment that cannot be used; its message tells what was expected. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}

/** Where settings come from. */
export interface CommandLine {
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Reads a file that holds a secret. @default {reads from the file system} */
  readonly readFile?: (path: string) => string;
}

/** What a command line asks for. */
export type Request<F extends Flags> =
  { readonly kind: "run"; readonly settings: SettingsOf<F> } | { readonly kind: "help" | "version" };

interface Given {
  /** How the user named it, for error messages. */
  readonly name: string;
  readonly value: string;
}

/**
 * Reads settings from a command line, then from the environment, then from the defaults.
 *
 * Strict, as citty's own parser takes unknown flags, missing values and stray words in silence. A flag beats
 * `ETH_<ENTRY>_<FLAG>`, which beats `ETH_<FLAG>`; an empty variable counts as absent.
 *
 * @throws {UsageError} naming the flag or variable and what was expected
 */
export function readCommandLine<F extends Flags>(
  entry: Entry<F>,
  { argv, env, readFile = readWholeFile }: CommandLine,
): Request<F> {
  const given = readTokens(Object.values(entry.flags), argv);
  if (typeof given === "string") return { kind: given };
  const values = Object.entries(entry.flags).map(([name, flag]) => [
    name,
    parseValue(flag, given.get(flag) ?? readEnvironment(flag, { entry: entry.name, env, readFile })),
  ]);
  const settings = Object.fromEntries(values) as SettingsOf<F>;
  checkNeeds(entry.flags, settings);
  entry.check?.(settings);
  return { kind: "run", settings };
}

/** Renders the help of an entry: what it does, every flag with its unit and default, examples. */
export async function renderHelp<F extends Flags>({ name, version, summary, flags, examples }: Entry<F>) {
  const args: ArgsDef = {};
  for (const { flag, alias, placeholder, description, default: value, defaultText } of Object.values(flags)) {
    args[flag] = placeholder
      ? { type: "string", description, valueHint: placeholder, default: defaultText ?? value ?? "none" }
      : { type: "boolean", description, ...(alias ? { alias } : {}) };
  }
  args["help"] = { type: "boolean", alias: "h", description: "show this and exit" };
  args["version"] = { type: "boolean", description: "show the version and exit" };
  const usage = await renderUsage(
    defineCommand({ meta: { name: `bun ${name}.ts`, version, description: summary }, args }),
  );
  const prefix = environmentName(name, "flag").replace(/FLAG$/, "<FLAG>");
  const shared = Object.values(flags).flatMap(({ sharedEnv }) => sharedEnv ?? []);
  return `${usage.replaceAll(/ +$/gm, "")}
Every flag is also an environment variable, ${prefix} or ETH_<FLAG>, in capitals and with _ for -.
${shared.length > 0 ? `So are, shared with other programs, ${shared.join(", ")}.\n` : ""}A variable with a secret may have _FILE behind its name, and then names a file that holds it; .env is read, too.

EXAMPLES

${examples.map((example) => `  ${example}`).join("\n")}
`;
}

function readTokens(flags: readonly Flag[], argv: readonly string[]) {
  const byName = new Map<string, Flag>();
  for (const flag of flags) {
    byName.set(`--${flag.flag}`, flag);
    if (flag.alias) byName.set(`-${flag.alias}`, flag);
  }
  const given = new Map<Flag, Given>();
  const tokens = argv[Symbol.iterator]();
  for (const token of tokens) {
    if (token === "--help" || token === "-h") return "help";
    if (token === "--version") return "version";
    const [name, inline] = splitOnce(token);
    const flag = byName.get(name);
    if (!flag) throw new UsageError(describeUnknown(token, [...byName.keys(), "--help", "--version"]));
    const value = inline ?? (flag.placeholder ? tokens.next().value : "true");
    if (value === undefined || value === "" || byName.has(splitOnce(value)[0])) {
      throw new UsageError(
        `Cannot use ${name} without a value: expected ${flag.placeholder ?? "true or false"}`,
      );
    }
    const earlier = given.get(flag);
    if (earlier && !flag.repeatable) {
      const values = flag.secret ? "" : `: it was ${earlier.value} and then ${value}`;
      throw new UsageError(`Cannot use ${name} more than once${values}`);
    }
    given.set(flag, { name, value: earlier ? `${earlier.value},${value}` : value });
  }
  return given;
}

function splitOnce(token: string): [name: string, value: string | undefined] {
  const at = token.startsWith("--") ? token.indexOf("=") : -1;
  return at < 0 ? [token, undefined] : [token.slice(0, at), token.slice(at + 1)];
}

function describeUnknown(token: string, known: readonly string[]): string {
  const [name] = splitOnce(token);
  if (!token.startsWith("-")) {
    const meant = known.includes(`--${name}`) ? `--${name}` : undefined;
    return `Cannot use the word "${token}": expected flags only${meant ? `; did you mean ${meant}?` : ""}`;
  }
  const meant = nearest(name, known);
  return `Cannot use ${name} as there is no such flag${meant ? `: did you mean ${meant}?` : ": --help lists them all"}`;
}

function readEnvironment(
  { flag, sharedEnv, secret }: Flag,
  { entry, env, readFile }: { entry: string; env: Environment; readFile: (path: string) => string },
): Given | undefined {
  for (const name of [environmentName(entry, flag), environmentName(flag), sharedEnv]) {
    if (name === undefined) continue;
    const value = isServiceLink(name, env[name]) ? undefined : env[name];
    const fileName = secret ? `${name}_FILE` : undefined;
    const file = fileName && env[fileName];
    if (value && file) throw new UsageError(`Cannot use both ${name} and ${fileName}: expected one of them`);
    if (value) return { name, value };
    // The newline at the end of a line is the editor's, not the secret's.
    if (file)
      return {
        name: `${fileName}`,
        value: readSecret(`${fileName}`, () => readFile(file)).replace(/\r?\n$/, ""),
      };
  }
  return undefined;
}

/** Whether Kubernetes or Docker has set a variable, as in REDIS_PORT=tcp://10.0.0.1:6379 for a service called redis. */
function isServiceLink(name: string, value: string | undefined): boolean {
  return name.endsWith("_PORT") && /^(tcp|udp):\/\//.test(value ?? "");
}

function readSecret(name: string, read: () => string): string {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`Cannot read the file that ${name} names: ${(error as Error).message}`);
  }
}

function readWholeFile(path: string): string {
  return readFileSync(path, "utf8");
}

function environmentName(...parts: readonly string[]): string {
  return ["ETH", ...parts].join("_").replaceAll("-", "_").toUpperCase();
}

function parseValue(flag: Flag, given: Given | undefined): unknown {
  const value = given?.value ?? flag.default;
  if (value === undefined) return undefined;
  const parsed = flag.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const name = given?.name ?? `--${flag.flag}`;
  const shown = flag.secret ? "that value" : `the value "${value}"`;
  throw new UsageError(`Cannot use ${name} with ${shown}: expected ${parsed.error.issues[0]?.message}`);
}

function checkNeeds<F extends Flags>(flags: F, settings: SettingsOf<F>): void {
  const isSet = ([name]: readonly [string, Flag]) => settings[name] !== undefined && settings[name] !== false;
  const used = Object.entries(flags)
    .filter(isSet)
    .map(([, flag]) => flag);
  for (const { flag, needs = [] } of used) {
    const missing = needs.find((needed) => used.every((other) => other.flag !== needed));
    if (missing !== undefined) throw new UsageError(`Cannot use --${flag} without --${missing}`);
  }
}
