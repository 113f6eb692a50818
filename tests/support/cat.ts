import { createCat, type CatOptions } from "../../lib/cat/app.ts";
import { openSqliteStore, type SqliteStore } from "../../lib/store/sqlite.ts";
import type { Receipt, ServerRow } from "../../lib/store/store.ts";
import { createRecordingLog, type RecordingLog } from "./recording_log.ts";

/** What a test's API starts with. */
export interface OpenCatOptions extends Partial<CatOptions> {
  readonly receipts?: readonly Receipt[];
  readonly servers?: readonly ServerRow[];
}

/** The API over a store of its own. */
export interface OpenCat extends AsyncDisposable {
  readonly store: SqliteStore;
  readonly log: RecordingLog;
  /** Asks for a path. */
  get(path: string, init?: RequestInit): Promise<Response>;
  /** Asks for a path and gives the body of the answer. */
  text(path: string): Promise<string>;
}

/** Opens the API over an embedded store in memory. */
export async function openCat({
  receipts = [],
  servers = [],
  ...options
}: OpenCatOptions = {}): Promise<OpenCat> {
  const store = openSqliteStore({ file: ":memory:" });
  const log = createRecordingLog();
  await store.write({ id: "first", receipts });
  for (const server of servers) await store.beat(server);
  const app = createCat({ pages: store, stats: store, log, ...options });
  return {
    store,
    log,
    get: async (path, init) => app.request(path, init),
    text: async (path) => (await app.request(path)).text(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Makes a receipt of a payload. */
export function receiptOf(
  payload: string,
  { ip = "127.0.0.1", receivedAtSeconds = 0 }: Partial<Omit<Receipt, "payload">> = {},
): Receipt {
  return { payload, hash: Bun.SHA256.hash(payload, "hex"), ip, receivedAtSeconds };
}
