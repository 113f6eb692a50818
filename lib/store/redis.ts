import { isIP } from "node:net";
import { Redis } from "ioredis";
import { describeNetworkError } from "../network_error.ts";
import { formatAddress } from "../printable.ts";
import {
  SERVER_EXPIRY_SECONDS,
  type Batch,
  type ClientRow,
  type HashPage,
  type HashRow,
  type Refusal,
  type ServerRow,
  type StatsStore,
} from "./store.ts";

/** Options of {@linkcode RedisStore}. */
export interface RedisOptions {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly password?: string | undefined;
  /** Talks TLS, with the system's certificates. */
  readonly tls?: boolean;
  /** Longest time for one operation. @default {5000} */
  readonly timeoutMs?: number;
}

/** Sorted set: member the hash, score the time of first receipt in seconds since the epoch. */
const HASHES = "eth:hashes";
/** Hash: field the sender's address, value how many messages it has sent. */
const CLIENTS = "eth:ip_addresses";
/** Set of the keys below. */
const SERVERS = "eth:servers";
/** String a server, with its last heartbeat in JSON; it expires when there is none for too long. */
const SERVER_PREFIX = "eth:server:";
/** String a batch, there while the batch may have been applied without its server knowing. */
const BATCH_PREFIX = "eth:batch:";

/** Longer than a batch is likely to wait in a spool for its second try. */
const BATCH_EXPIRY_SECONDS = 30 * 24 * 3600;
/** Longer than what was sent over a connection that was given up can still arrive, as TCP sends it again and again. */
const REPEATED_EXPIRY_SECONDS = 3600;
const MAX_RECONNECT_MS = 1000;

/**
 * Applies a batch once, as a whole: a batch whose key is there was applied before, and its answer was lost.
 *
 * SET comes first, as Redis looks at the first command alone for whether it has memory left. ZADD LT keeps the smaller score, so that "first received" is right in whatever order writes arrive.
 */
const WRITE = `
local isNew = redis.call('SET', KEYS[3], 1, 'NX', 'EX', ARGV[1])
for key = 4, #KEYS do redis.call('DEL', KEYS[key]) end
if not isNew then return 0 end
local last = 2 + 2 * ARGV[2]
for at = 3, last, 1000 do redis.call('ZADD', KEYS[1], 'LT', unpack(ARGV, at, math.min(at + 999, last))) end
for at = last + 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[at], ARGV[at + 1]) end
return 1`;

/** Statistics in Redis, under the keys that all implementations share. */
export class RedisStore implements StatsStore {
  readonly name = "Redis";
  readonly #redis: Redis;
  readonly #address: string;
  readonly #db: number;
  #opening: Promise<void> | undefined;
  #isSelected = false;
  /** Why there is no connection, which commands that fail for it do not say. */
  #lastError: Error | undefined;
  /** Batches known to be applied, and sent no more than once, whose keys the next write removes: Redis remembers the doubtful ones alone. */
  #confirmed: string[] = [];

  /** Makes the store; it connects when it is first used, and again whenever the connection is lost. */
  constructor({ tls = false, timeoutMs = 5000, password, ...where }: RedisOptions) {
    this.#address = formatAddress({ ip: where.host, port: where.port });
    this.#db = where.db;
    this.#redis = new Redis({
      ...where,
      ...(password ? { password } : {}),
      ...(tls ? { tls: isIP(where.host) ? {} : { servername: where.host } } : {}),
      lazyConnect: true,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      // Whatever cannot be sent now fails now: the caller decides what becomes of it.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(attempt * 50, MAX_RECONNECT_MS),
    });
    this.#redis.on("error", (error: Error) => (this.#lastError = error));
  }

  async write({ id, receipts, isRepeated = false }: Batch): Promise<readonly Refusal[]> {
    const messagesByIp = new Map<string, number>();
    const values: (string | number)[] = [];
    for (const { hash, receivedAtSeconds, ip } of receipts) {
      values.push(receivedAtSeconds, hash);
      messagesByIp.set(ip, (messagesByIp.get(ip) ?? 0) + 1);
    }
    for (const [ip, messages] of messagesByIp) values.push(ip, messages);
    const key = BATCH_PREFIX + id;
    const keys = [HASHES, CLIENTS, key, ...this.#confirmed.splice(0).filter((other) => other !== key)];
    await this.#use(async (redis) => {
      await redis.eval(WRITE, keys.length, ...keys, BATCH_EXPIRY_SECONDS, receipts.length, ...values);
      if (isRepeated) await redis.expire(key, REPEATED_EXPIRY_SECONDS);
    });
    // Not before the caller has taken note: until then the batch may yet be written again, after a crash.
    if (!isRepeated) setImmediate(() => this.#confirmed.push(key));
    return [];
  }

  async listHashes({ limit, before }: HashPage): Promise<readonly HashRow[]> {
    return this.#use(async (redis) => {
      let from = before ? await redis.zcount(HASHES, `(${before.receivedAtSeconds}`, "+inf") : 0;
      const rows: HashRow[] = [];
      // Rows of the same time may have to be passed over.
      for (let isEnd = false; rows.length < limit && !isEnd; from += limit) {
        const part = toHashRows(await redis.zrevrange(HASHES, from, from + limit - 1, "WITHSCORES"));
        rows.push(...part.filter((row) => !before || isAfter(row, before)));
        isEnd = part.length < limit;
      }
      return rows.slice(0, limit);
    });
  }

  async beat(server: ServerRow): Promise<void> {
    const key = `${SERVER_PREFIX}${server.host}:${server.port}:${server.pid}`;
    await this.#use(async (redis) => {
      await redis.set(key, JSON.stringify(server), "EX", SERVER_EXPIRY_SECONDS);
      await redis.sadd(SERVERS, key);
    });
  }

  async listServers(): Promise<readonly ServerRow[]> {
    return this.#use(async (redis) => {
      const keys = await redis.smembers(SERVERS);
      if (keys.length === 0) return [];
      const values = await redis.mget(keys);
      const expired = keys.filter((_, index) => values[index] === null);
      if (expired.length > 0) await redis.srem(SERVERS, ...expired);
      return values
        .flatMap((value) => (value === null ? [] : [JSON.parse(value) as ServerRow]))
        .toSorted((a, b) => a.host.localeCompare(b.host) || a.port - b.port || a.pid - b.pid);
    });
  }

  async listClients(): Promise<readonly ClientRow[]> {
    const messagesByIp = await this.#use((redis) => redis.hgetall(CLIENTS));
    return Object.entries(messagesByIp).map(([ip, messages]) => ({ ip, messages: Number(messages) }));
  }

  async check(): Promise<void> {
    await this.#use((redis) => redis.ping());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect();
  }

  async #use<Result>(task: (redis: Redis) => Promise<Result>): Promise<Result> {
    try {
      // Should the first try fail, further ones are made in the background, and the task itself says why it cannot run.
      this.#opening ??= this.#redis.connect().catch(() => {});
      await this.#opening;
      await this.#select();
      return await task(this.#redis);
    } catch (error) {
      const { message } = error as Error;
      // A connection that does not answer is given up, as it may be one that will never answer again.
      if (message === "Command timed out") this.#redis.disconnect(true);
      const reason =
        message === "Command timed out" ? "there was no answer in time" : this.#describe(error as Error);
      throw new Error(`Redis at ${this.#address} cannot be used: ${reason}`, { cause: error });
    }
  }

  /** Makes sure that there is such a database: ioredis itself goes on with database 0 when there is none. */
  async #select(): Promise<void> {
    if (this.#isSelected) return;
    if (this.#db !== 0) await this.#redis.select(this.#db);
    this.#isSelected = true;
  }

  #describe(error: Error): string {
    const isDisconnected =
      error.message === "Connection is closed." || error.message.startsWith("Stream isn't");
    if (!isDisconnected) return error.message;
    return this.#lastError ? describeNetworkError(this.#lastError) : "the connection was lost";
  }
}

function toHashRows(flat: readonly string[]): readonly HashRow[] {
  return flat.flatMap((hash, index) =>
    index % 2 === 0 ? [{ hash, receivedAtSeconds: Number(flat[index + 1]) }] : [],
  );
}

/** Whether a row comes strictly after another in the list's order. */
function isAfter(row: HashRow, other: HashRow): boolean {
  const seconds = row.receivedAtSeconds - other.receivedAtSeconds;
  return seconds < 0 || (seconds === 0 && row.hash < other.hash);
}
