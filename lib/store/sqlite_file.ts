import { stat } from "node:fs/promises";
import { openSqliteStore, type SqliteStore } from "./sqlite.ts";
import type { ClientRow, HashPage, HashRow, PageReader, ServerRow, StatsReader } from "./store.ts";

/**
 * Reads the embedded store of a server that may not have made its file yet: until then it is empty.
 *
 * A file that is replaced by another is followed.
 */
export class SqliteFile implements PageReader, StatsReader, AsyncDisposable {
  readonly name = "SQLite";
  readonly #file: string;
  #open: { readonly store: SqliteStore; readonly inode: number } | undefined;

  constructor({ file }: { readonly file: string }) {
    this.#file = file;
  }

  async readPages(hashes: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return (await this.#store())?.readPages(hashes) ?? new Map();
  }

  async countPages(): Promise<number> {
    return (await this.#store())?.countPages() ?? 0;
  }

  async check(): Promise<void> {
    await (await this.#store())?.check();
  }

  async listHashes(page: HashPage): Promise<readonly HashRow[]> {
    return (await this.#store())?.listHashes(page) ?? [];
  }

  async listClients(): Promise<readonly ClientRow[]> {
    return (await this.#store())?.listClients() ?? [];
  }

  async listServers(): Promise<readonly ServerRow[]> {
    return (await this.#store())?.listServers() ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.store[Symbol.asyncDispose]();
  }

  async #store(): Promise<SqliteStore | undefined> {
    const inode = await stat(this.#file).then(
      ({ ino }) => ino,
      () => undefined,
    );
    if (this.#open?.inode !== inode) await this[Symbol.asyncDispose]();
    if (inode === undefined) return undefined;
    if (this.#open) return this.#open.store;
    const store = openSqliteStore({ file: this.#file, write: false });
    if (!store.hasTables) {
      await store[Symbol.asyncDispose](); // its server is about to create them
      return undefined;
    }
    this.#open = { store, inode };
    return store;
  }
}
