import type { ClientRow, HashRow, ServerRow } from "../store/store.ts";
import { answerTable, type Table, type TableAnswer, type TableRequest } from "./answer.ts";
import { blocksTable, HASH_COLUMN, TIME_COLUMN } from "./blocks.ts";
import type { StoreState, Stores } from "./stores.ts";

/** A table, ready to be asked. */
export interface TableRoute {
  readonly path: string;
  readonly answer: (request: TableRequest) => Promise<TableAnswer>;
}

const DEFAULT_SIZE = 100;

/** Creates the tables of the API, in the order in which they are listed. */
export function createTables(stores: Stores): readonly TableRoute[] {
  return [
    route(hashesTable(stores)),
    route(clientsTable(stores)),
    route(blocksTable(stores)),
    route(countTable(stores)),
    route(healthTable(stores)),
    route(serversTable(stores)),
  ];
}

function route<Row>(table: Table<Row>): TableRoute {
  return { path: table.path, answer: (request) => answerTable(table, request) };
}

function hashesTable(stores: Stores): Table<HashRow> {
  return {
    path: "/_cat/hashes",
    defaultSize: DEFAULT_SIZE,
    columns: [HASH_COLUMN, TIME_COLUMN],
    read: (page) => stores.stats((reader) => reader.listHashes(page)),
    placeOf: (row) => row,
  };
}

function clientsTable(stores: Stores): Table<ClientRow> {
  return {
    path: "/_cat/clients",
    defaultSize: Number.POSITIVE_INFINITY, // the older implementations list them all
    columns: [
      {
        name: "client",
        aliases: ["c", "ip"],
        description: "address of the client",
        kind: "text",
        value: (row) => row.ip,
      },
      {
        name: "count",
        aliases: ["n", "messages"],
        description: "messages it has sent",
        kind: "number",
        value: (row) => row.messages,
      },
    ],
    read: () => stores.stats((reader) => reader.listClients()),
  };
}

interface CountRow {
  readonly pages: number;
  readonly messages: number;
  readonly clients: number;
}

function countTable(stores: Stores): Table<CountRow> {
  return {
    path: "/_cat/count",
    defaultSize: DEFAULT_SIZE,
    columns: [
      {
        name: "pages",
        aliases: ["p"],
        description: "pages that are stored",
        kind: "number",
        value: (row) => row.pages,
      },
      {
        name: "messages",
        aliases: ["m"],
        description: "messages that were received",
        kind: "number",
        value: (row) => row.messages,
      },
      {
        name: "clients",
        aliases: ["c"],
        description: "clients that have sent them",
        kind: "number",
        value: (row) => row.clients,
      },
    ],
    async read() {
      const [pages, rows] = await Promise.all([
        stores.pages((reader) => reader.countPages()),
        stores.stats((reader) => reader.listClients()),
      ]);
      const messages = rows.reduce((sum, row) => sum + row.messages, 0);
      return [{ pages, messages, clients: rows.length }];
    },
  };
}

interface HealthRow extends StoreState {
  readonly spooled: number | null;
}

function healthTable(stores: Stores): Table<HealthRow> {
  return {
    path: "/_cat/health",
    defaultSize: DEFAULT_SIZE,
    columns: [
      {
        name: "store",
        aliases: ["name"],
        description: "what it is",
        kind: "text",
        value: (row) => row.store,
      },
      {
        name: "state",
        aliases: ["status", "st"],
        description: "up, or away when it does not answer",
        kind: "text",
        value: (row) => row.state,
      },
      {
        name: "latency",
        aliases: ["l"],
        description: "milliseconds until it answered",
        kind: "duration",
        value: (row) => row.latencyMs,
      },
      {
        name: "spooled",
        aliases: ["sp"],
        description: "messages that the servers keep until all stores take them",
        kind: "number",
        value: (row) => row.spooled,
      },
    ],
    async read() {
      const states = await stores.check();
      const rows = await stores.stats((reader) => reader.listServers()).catch(() => undefined); // shown as away
      const spooled = rows ? rows.reduce((sum, row) => sum + row.spooled, 0) : null;
      return states.map((state) => ({ ...state, spooled }));
    },
  };
}

function serversTable(stores: Stores): Table<ServerRow> {
  const number = (name: keyof ServerRow & string, aliases: readonly string[], description: string) => ({
    name,
    aliases,
    description,
    kind: "number" as const,
    value: (row: ServerRow) => row[name],
  });
  return {
    path: "/_cat/servers",
    defaultSize: DEFAULT_SIZE,
    columns: [
      {
        name: "host",
        aliases: ["h"],
        description: "machine it runs on",
        kind: "text",
        value: (row) => row.host,
      },
      number("port", ["po"], "port it listens on"),
      number("pid", ["p"], "its process"),
      {
        name: "version",
        aliases: ["v"],
        description: "its version",
        kind: "text",
        value: (row) => row.version,
      },
      {
        name: "uptime",
        aliases: ["u"],
        description: "seconds since it was started",
        kind: "number",
        value: (row) => Math.max(0, Math.floor(Date.now() / 1000 - row.startedAtSeconds)),
      },
      number("connections", ["conn"], "connections that are open"),
      number("received", ["r"], "messages received"),
      number("stored", ["s"], "messages stored as the first of their kind"),
      number("spooled", ["sp"], "messages that it keeps until the stores take them"),
    ],
    read: () => stores.stats((reader) => reader.listServers()),
  };
}
