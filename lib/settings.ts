import { isIPv6 } from "node:net";
import { z } from "zod";
import { UsageError } from "./cli.ts";
import { choice, seconds, toggle, whole, words, type SettingsOf } from "./flags.ts";
import { MAINNET_URLS } from "./ethereum/mainnet.ts";
import type { HostAndPort } from "./servers.ts";
import { parseCidr, type Cidr } from "./wire/cidr.ts";

const DAY_SECONDS = 86_400;
const HIGHEST_PORT = 65_535;
/** What a MySQL TEXT holds, in bytes. */
const MAX_TEXT_BYTES = 65_535;

const rpcUrls = z
  .string()
  .transform(splitList)
  .pipe(
    z.array(
      z.url({
        protocol: /^(https?|wss?)$/,
        error: "http://, https://, ws:// or wss:// addresses, separated by commas",
      }),
    ),
  );

const credentials = z
  .string()
  .regex(/^[^:]+:./s, { error: "a user, a colon and a password" })
  .transform((text) => {
    const at = text.indexOf(":");
    return { user: text.slice(0, at), password: text.slice(at + 1) };
  });

const servers = z
  .string()
  .transform(splitList)
  .pipe(z.array(z.string().transform(readHostAndPort)));

function splitList(list: string): string[] {
  return list.split(",").map((item) => item.trim());
}

function readHostAndPort(text: string, context: z.RefinementCtx): HostAndPort {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host && port >= 1 && port <= HIGHEST_PORT && (!bracketed || isIPv6(bracketed))) return { host, port };
  context.addIssue({
    code: "custom",
    message: `HOST:PORT, an IPv6 address in brackets, the port from 1 to ${HIGHEST_PORT}`,
  });
  return z.NEVER;
}

const cidrs = z
  .string()
  .transform(splitList)
  .pipe(z.array(z.string().transform(readCidr)));

function readCidr(text: string, context: z.RefinementCtx): Cidr {
  const range = parseCidr(text);
  if (range) return range;
  context.addIssue({
    code: "custom",
    message: "addresses or ranges such as 10.0.0.0/8, separated by commas",
  });
  return z.NEVER;
}

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

/** Flags that say where MySQL and Redis are; they are needed with `--use-mysql` and `--use-redis` only. */
const databaseFlags = {
  useMysql: toggle({ flag: "use-mysql", description: "keep pages in MySQL" }),
  mysqlHost: words({
    flag: "mysql-host",
    placeholder: "HOST",
    sharedEnv: "MYSQL_HOST",
    description: "MySQL server",
  }),
  mysqlPort: whole(
    { min: 1, max: HIGHEST_PORT },
    {
      flag: "mysql-port",
      placeholder: "PORT",
      sharedEnv: "MYSQL_PORT",
      defaultText: "3306",
      description: "its port",
    },
  ),
  mysqlUser: words({
    flag: "mysql-user",
    placeholder: "USER",
    sharedEnv: "MYSQL_USER",
    description: "its user",
  }),
  mysqlPass: words({
    flag: "mysql-pass",
    placeholder: "PASSWORD",
    sharedEnv: "MYSQL_PASS",
    secret: true,
    description: "its password; the environment keeps it out of the list of processes",
  }),
  mysqlDb: words({
    flag: "mysql-db",
    placeholder: "NAME",
    sharedEnv: "MYSQL_DB",
    description: "its database",
  }),
  mysqlTls: toggle({ flag: "mysql-tls", description: "talk to MySQL over TLS" }),
  mysqlCa: words({
    flag: "mysql-ca",
    placeholder: "FILE",
    sharedEnv: "MYSQL_CA",
    description: "certificates to trust for MySQL, in PEM, instead of the system's",
  }),
  useRedis: toggle({ flag: "use-redis", description: "keep statistics in Redis" }),
  redisHost: words({
    flag: "redis-host",
    placeholder: "HOST",
    sharedEnv: "REDIS_HOST",
    description: "Redis server",
  }),
  redisPort: whole(
    { min: 1, max: HIGHEST_PORT },
    {
      flag: "redis-port",
      placeholder: "PORT",
      sharedEnv: "REDIS_PORT",
      defaultText: "6379",
      description: "its port",
    },
  ),
  redisDb: whole(
    { min: 0, max: 65_535 },
    {
      flag: "redis-db",
      placeholder: "NUMBER",
      sharedEnv: "REDIS_DB",
      defaultText: "0",
      description: "its database",
    },
  ),
  redisPass: words({
    flag: "redis-pass",
    placeholder: "PASSWORD",
    sharedEnv: "REDIS_PASS",
    secret: true,
    description: "its password; the environment keeps it out of the list of processes",
  }),
  redisTls: toggle({ flag: "redis-tls", description: "talk to Redis over TLS" }),
} as const;

/** Settings that say where MySQL and Redis are. */
export type DatabaseSettings = SettingsOf<typeof databaseFlags>;

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
  if (settings.mysqlCa && !settings.mysqlTls)
    throw new UsageError("Cannot use --mysql-ca without --mysql-tls");
  const { tlsCert, tlsKey, tlsClientCa, proxyProtocol, proxyTrust } = settings;
  if (tlsCert && !tlsKey) throw new UsageError("Cannot use --tls-cert without --tls-key");
  if (tlsKey && !tlsCert) throw new UsageError("Cannot use --tls-key without --tls-cert");
  if (tlsClientCa && !tlsCert) throw new UsageError("Cannot use --tls-client-ca without --tls-cert");
  if (proxyProtocol && !proxyTrust) throw new UsageError("Cannot use --proxy-protocol without --proxy-trust");
  if (proxyTrust && !proxyProtocol) throw new UsageError("Cannot use --proxy-trust without --proxy-protocol");
  if (proxyProtocol && tlsCert)
    throw new UsageError(
      "Cannot use --proxy-protocol together with --tls-cert: the balancer speaks TLS then",
    );
}

function nameOf(setting: keyof typeof databaseFlags): string {
  return `--${databaseFlags[setting].flag}`;
}

/** Flags of the client. */
export const clientFlags = {
  host: words({
    flag: "host",
    placeholder: "HOST",
    defaultText: "localhost, unless there is --server",
    description: "server to send pages to, tried before those of --server",
  }),
  port: whole(
    { min: 1, max: HIGHEST_PORT },
    {
      flag: "port",
      placeholder: "PORT",
      defaultText: "9999, unless there is --server",
      description: "TCP port of that server",
    },
  ),
  servers: {
    flag: "server",
    placeholder: "HOST:PORT",
    repeatable: true,
    description: "a further server; more, by repetition or commas, stand in for each other",
    schema: servers,
  },
  intervalMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    { flag: "interval", default: "5", description: "time from the start of one poll to the next" },
  ),
  rpcUrls: {
    flag: "rpc-url",
    secret: true, // many hold a key
    placeholder: "URL",
    repeatable: true,
    default: MAINNET_URLS.join(","),
    defaultText: `${MAINNET_URLS.length} keyless endpoints of mainnet`,
    description:
      "Ethereum JSON-RPC endpoint: ws:// and wss:// are subscribed to, http:// and https:// polled; more, by repetition or commas, stand in for it",
    schema: rpcUrls,
  },
  rpcTimeoutMs: seconds(
    { min: 0.1, max: 600 },
    { flag: "rpc-timeout", default: "5", description: "longest wait for an endpoint's answer" },
  ),
  stallTimeoutMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    {
      flag: "stall-timeout",
      defaultText: "3 block times, which are learnt",
      description: "silence after which a subscription is checked",
    },
  ),
  chainId: {
    flag: "chain-id",
    placeholder: "NUMBER",
    defaultText: "that of the first endpoint",
    description: "chain that every endpoint must be on; 1 is mainnet",
    schema: z
      .string()
      .regex(/^[1-9]\d{0,19}$/, { error: "a chain's number in decimal" })
      .transform(BigInt),
  },
  emitMissed: toggle({
    flag: "emit-missed",
    description: "send every block between the last one and the new one too, in order",
  }),
  maxGap: whole(
    { min: 1, max: 1_000_000_000 },
    {
      flag: "max-gap",
      placeholder: "BLOCKS",
      defaultText: "7200",
      description: "most blocks that --emit-missed catches up on; the oldest beyond it are given up",
    },
  ),
  state: words({
    flag: "state",
    placeholder: "FILE",
    description: "keeps the last acknowledged block, from which a restarted client goes on",
  }),
  ack: choice(["auto", "required", "off"], {
    flag: "ack",
    default: "auto",
    description:
      "whether a page must be acknowledged; auto: once the server has shown that it does; off: do not wait",
  }),
  persistent: toggle({
    flag: "persistent",
    description: "send many pages over one connection, to a server that acknowledges",
  }),
  tls: toggle({ flag: "tls", description: "encrypt connections to servers" }),
  tlsCa: words({
    flag: "tls-ca",
    placeholder: "FILE",
    defaultText: "those of the system",
    description: "PEM file of the authorities that servers' certificates must come from",
  }),
  tlsCert: words({
    flag: "tls-cert",
    placeholder: "FILE",
    description: "PEM file of the certificate to show to servers",
  }),
  tlsKey: words({ flag: "tls-key", placeholder: "FILE", description: "PEM file of its key" }),
  tlsServerName: words({
    flag: "tls-server-name",
    placeholder: "NAME",
    defaultText: "the server's host",
    description: "name that servers' certificates must bear",
  }),
  once: toggle({
    flag: "once",
    description: "send the current block, wait for its acknowledgement and exit",
  }),
  ...metricsFlags,
  ...commonFlags,
} as const;

/**
 * Checks what the client's flags say together.
 *
 * @throws {UsageError} when they contradict each other
 */
export function checkClientSettings(settings: ClientSettings): void {
  const { tls, tlsCa, tlsCert, tlsKey, tlsServerName, emitMissed, maxGap, persistent, state, ack } = settings;
  const tlsFlags = {
    "tls-ca": tlsCa,
    "tls-cert": tlsCert,
    "tls-key": tlsKey,
    "tls-server-name": tlsServerName,
  };
  for (const [flag, value] of Object.entries(tlsFlags))
    if (value !== undefined && !tls) throw new UsageError(`Cannot use --${flag} without --tls`);
  if (tlsCert !== undefined && tlsKey === undefined)
    throw new UsageError("Cannot use --tls-cert without --tls-key");
  if (tlsKey !== undefined && tlsCert === undefined)
    throw new UsageError("Cannot use --tls-key without --tls-cert");
  if (maxGap !== undefined && !emitMissed) throw new UsageError("Cannot use --max-gap without --emit-missed");
  if (ack !== "off") return;
  if (persistent)
    throw new UsageError("Cannot use --persistent with --ack off: without answers a break would lose pages");
  if (state !== undefined)
    throw new UsageError("Cannot use --state with --ack off: it holds the last acknowledged block");
}

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
  ...databaseFlags,
  storeTimeoutMs: seconds(
    { min: 0, max: DAY_SECONDS },
    { flag: "store-timeout", default: "30", description: "longest wait for MySQL and Redis at the start" },
  ),
  spool: words({
    flag: "spool",
    placeholder: "FILE",
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
  tlsCert: words({
    flag: "tls-cert",
    placeholder: "FILE",
    description: "PEM file of the certificate to show; only TLS is spoken then",
  }),
  tlsKey: words({ flag: "tls-key", placeholder: "FILE", description: "PEM file of its key" }),
  tlsClientCa: words({
    flag: "tls-client-ca",
    placeholder: "FILE",
    description: "PEM file of the authorities that each client's certificate must come from",
  }),
  proxyProtocol: toggle({
    flag: "proxy-protocol",
    description: "take true addresses from the PROXY header of a balancer, version 1 or 2",
  }),
  proxyTrust: {
    flag: "proxy-trust",
    placeholder: "CIDR",
    repeatable: true,
    description: "balancer or range of them, the only senders then; more by repetition or commas",
    schema: cidrs,
  },
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
  ...databaseFlags,
  ...commonFlags,
} as const;

/** Settings of the client. */
export type ClientSettings = SettingsOf<typeof clientFlags>;
/** Settings of the server. */
export type ServerSettings = SettingsOf<typeof serverFlags>;
/** Settings of the stats API. */
export type StatsSettings = SettingsOf<typeof statsFlags>;
