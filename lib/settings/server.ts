import { z } from "zod";
import { UsageError } from "../cli.ts";
import { file, host, list, listenPort, seconds, toggle, whole, type SettingsOf } from "../flags.ts";
import { parseCidr, type Cidr } from "../wire/cidr.ts";
import { commonFlags, DAY_SECONDS, metricsFlags, sqliteFlag } from "./common.ts";
import { databaseFlags } from "./databases.ts";

/** What a MySQL TEXT holds, in bytes. */
const MAX_TEXT_BYTES = 65_535;

const range = z.string().transform(readCidr);

/** Flags of the server. */
export const serverFlags = {
  host: host({
    flag: "host",
    default: "localhost",
    description: "address to listen on",
  }),
  port: listenPort({
    flag: "port",
    default: "9999",
    description: "TCP port to listen on; 0 takes a free one",
  }),
  sqlite: sqliteFlag,
  noStore: toggle({ flag: "no-store", description: "print messages and store nothing" }),
  ...databaseFlags,
  storeTimeoutMs: seconds(
    { min: 0, max: DAY_SECONDS },
    { flag: "store-timeout", default: "30", description: "longest wait for MySQL and Redis at the start" },
  ),
  spool: file({
    flag: "spool",
    default: "eth-spool.db",
    description: "keeps messages on disk while MySQL or Redis is away",
  }),
  spoolMaxMessages: whole(
    { min: 0, max: 1_000_000_000 },
    {
      flag: "spool-max",
      placeholder: "MESSAGES",
      default: "1000000",
      description: "most messages that the spool holds for each of them",
    },
  ),
  maxPayloadBytes: whole(
    { min: 1, max: MAX_TEXT_BYTES },
    { flag: "max-payload", placeholder: "BYTES", default: "65535", description: "largest message in bytes" },
  ),
  maxConnections: whole(
    { min: 1, max: 1_000_000 },
    {
      flag: "max-connections",
      placeholder: "COUNT",
      default: "16384",
      description: "connections at a time; more are answered busy",
    },
  ),
  maxConnectionsPerIp: whole(
    { min: 1, max: 1_000_000 },
    {
      flag: "max-connections-per-ip",
      placeholder: "COUNT",
      default: "1024",
      description: "connections at a time from one IPv4 address or IPv6 /64; more are answered busy",
    },
  ),
  maxBytesInFlight: whole(
    { min: 65_536, max: 1_000_000_000_000 },
    {
      flag: "max-in-flight",
      placeholder: "BYTES",
      default: "33554432",
      description:
        "messages being stored, beyond which senders are held back; four times as much of unfinished ones",
    },
  ),
  messageTimeoutMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    {
      flag: "message-timeout",
      default: "30",
      description: "longest time from a message's first byte to its last",
    },
  ),
  idleTimeoutMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    { flag: "idle-timeout", default: "300", description: "longest silence between messages" },
  ),
  drainDelayMs: seconds(
    { min: 0, max: 3600 },
    {
      flag: "drain-delay",
      default: "0",
      description: "time to go on when told to stop, answering empty messages unavailable to tell balancers",
    },
  ),
  drainTimeoutMs: seconds(
    { min: 0, max: 3600 },
    {
      flag: "drain-timeout",
      default: "10",
      description: "longest time to finish what has arrived when told to stop",
    },
  ),
  tlsCert: file({
    flag: "tls-cert",
    needs: ["tls-key"],
    description: "PEM file of the certificate to show; only TLS is spoken then",
  }),
  tlsKey: file({ flag: "tls-key", needs: ["tls-cert"], description: "PEM file of its key" }),
  tlsClientCa: file({
    flag: "tls-client-ca",
    needs: ["tls-cert"],
    description: "PEM file of the authorities that each client's certificate must come from",
  }),
  proxyProtocol: toggle({
    flag: "proxy-protocol",
    needs: ["proxy-trust"],
    description: "take true addresses from the PROXY header of a balancer, version 1 or 2",
  }),
  proxyTrust: list(range, {
    flag: "proxy-trust",
    needs: ["proxy-protocol"],
    placeholder: "CIDR",
    description: "balancer or range of them, the only senders then; more by repetition or commas",
  }),
  ...metricsFlags,
  ...commonFlags,
} as const;

/** Settings of the server. */
export type ServerSettings = SettingsOf<typeof serverFlags>;

const NEEDED_SETTINGS = {
  useRedis: ["redisHost"],
  useMysql: ["mysqlHost", "mysqlUser", "mysqlPass", "mysqlDb"],
} as const;

/**
 * Checks that a server's settings go together.
 *
 * @throws {UsageError} naming the flags
 */
export function checkServerSettings(settings: ServerSettings): void {
  for (const use of ["useRedis", "useMysql"] as const) {
    const missing = settings[use] && NEEDED_SETTINGS[use].find((name) => settings[name] === undefined);
    if (missing) throw new UsageError(`${nameOf(use)} called without ${nameOf(missing)}`);
    if (settings[use] && settings.noStore)
      throw new UsageError(`Cannot use --no-store together with ${nameOf(use)}`);
  }
  if (settings.proxyProtocol && settings.tlsCert)
    throw new UsageError(
      "Cannot use --proxy-protocol together with --tls-cert: the balancer speaks TLS then",
    );
}

function nameOf(setting: keyof typeof databaseFlags): string {
  return `--${databaseFlags[setting].flag}`;
}

function readCidr(text: string, context: z.RefinementCtx): Cidr {
  const range = parseCidr(text);
  if (range) return range;
  context.addIssue({
    code: "custom",
    message: "addresses or ranges such as 10.0.0.0/8, separated by commas",
  });
  return z.NEVER;
}
