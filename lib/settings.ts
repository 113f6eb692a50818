import { z } from "zod";
import { choice, seconds, toggle, whole, words, type SettingsOf } from "./flags.ts";
import { MAINNET_URLS } from "./ethereum/mainnet.ts";

const DAY_SECONDS = 86_400;
const HIGHEST_PORT = 65_535;
/** What a MySQL TEXT holds, in bytes. */
const MAX_TEXT_BYTES = 65_535;

const rpcUrls = z
  .string()
  .transform((list) => list.split(",").map((url) => url.trim()))
  .pipe(
    z.array(z.url({ protocol: /^https?$/, error: "http:// or https:// addresses, separated by commas" })),
  );

const credentials = z
  .string()
  .regex(/^[^:]+:./s, { error: "a user, a colon and a password" })
  .transform((text) => {
    const at = text.indexOf(":");
    return { user: text.slice(0, at), password: text.slice(at + 1) };
  });

/** Flags of every entry. */
export const commonFlags = {
  verbose: toggle({ flag: "verbose", alias: "v", description: "log every step" }),
  waitMs: seconds(
    { min: 0, max: DAY_SECONDS },
    { flag: "wait", default: "0", description: "wait this long before doing anything" },
  ),
  logFormat: choice(["text", "json"], {
    flag: "log-format",
    default: "text",
    description: "form of the log lines on stderr",
  }),
};

const sqliteFlag = words({
  flag: "sqlite",
  placeholder: "FILE",
  default: "eth.db",
  description: "database file of the embedded store",
});

const metricsFlags = {
  metricsPort: whole(
    { min: 0, max: HIGHEST_PORT },
    {
      flag: "metrics-port",
      placeholder: "PORT",
      description: "HTTP port for /metrics, /healthz and /readyz; 0 takes a free one",
    },
  ),
  metricsHost: words({
    flag: "metrics-host",
    placeholder: "HOST",
    default: "localhost",
    description: "address to listen on with --metrics-port",
  }),
};

/** Flags of the client. */
export const clientFlags = {
  host: words({
    flag: "host",
    placeholder: "HOST",
    default: "localhost",
    description: "server to send pages to",
  }),
  port: whole(
    { min: 1, max: HIGHEST_PORT },
    { flag: "port", placeholder: "PORT", default: "9999", description: "TCP port of the server" },
  ),
  intervalMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    { flag: "interval", default: "5", description: "time from the start of one poll to the next" },
  ),
  rpcUrls: {
    flag: "rpc-url",
    placeholder: "URL",
    repeatable: true,
    default: MAINNET_URLS.join(","),
    defaultText: `${MAINNET_URLS.length} keyless endpoints of mainnet`,
    description: "Ethereum JSON-RPC endpoint; more, by repetition or commas, stand in for it",
    schema: rpcUrls,
  },
  rpcTimeoutMs: seconds(
    { min: 0.1, max: 600 },
    { flag: "rpc-timeout", default: "5", description: "longest wait for an endpoint's answer" },
  ),
  ack: choice(["auto", "required", "off"], {
    flag: "ack",
    default: "auto",
    description:
      "whether a page must be acknowledged; auto: once the server has shown that it does; off: do not wait",
  }),
  once: toggle({
    flag: "once",
    description: "send the current block, wait for its acknowledgement and exit",
  }),
  ...metricsFlags,
  ...commonFlags,
} as const;

/** Flags of the server. */
export const serverFlags = {
  host: words({
    flag: "host",
    placeholder: "HOST",
    default: "localhost",
    description: "address to listen on",
  }),
  port: whole(
    { min: 0, max: HIGHEST_PORT },
    {
      flag: "port",
      placeholder: "PORT",
      default: "9999",
      description: "TCP port to listen on; 0 takes a free one",
    },
  ),
  sqlite: sqliteFlag,
  noStore: toggle({ flag: "no-store", description: "print messages and store nothing" }),
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
  drainTimeoutMs: seconds(
    { min: 0, max: 3600 },
    {
      flag: "drain-timeout",
      default: "10",
      description: "longest time to finish what has arrived when told to stop",
    },
  ),
  ...metricsFlags,
  ...commonFlags,
} as const;

/** Flags of the stats API. */
export const statsFlags = {
  host: words({
    flag: "host",
    placeholder: "HOST",
    default: "localhost",
    description: "address to listen on",
  }),
  port: whole(
    { min: 0, max: HIGHEST_PORT },
    {
      flag: "port",
      placeholder: "PORT",
      default: "5000",
      description: "HTTP port to listen on; 0 takes a free one",
    },
  ),
  auth: {
    flag: "auth",
    placeholder: "USER:PASSWORD",
    sharedEnv: "STATS_AUTH",
    secret: true,
    defaultText: "all may look",
    description: "who may look; the environment keeps it out of the list of processes",
    schema: credentials,
  },
  sqlite: sqliteFlag,
  ...commonFlags,
} as const;

/** Settings of the client. */
export type ClientSettings = SettingsOf<typeof clientFlags>;
/** Settings of the server. */
export type ServerSettings = SettingsOf<typeof serverFlags>;
/** Settings of the stats API. */
export type StatsSettings = SettingsOf<typeof statsFlags>;
