import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { hostname } from "node:os";
import { startHeartbeat } from "../lib/heartbeat.ts";
import { startServer } from "../lib/server.ts";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import { SqliteFile } from "../lib/store/sqlite_file.ts";
import { SERVER_EXPIRY_SECONDS, type ServerRow } from "../lib/store/store.ts";
import { VERSION } from "../lib/version.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const SERVER: ServerRow = {
  host: "alpha",
  port: 9999,
  pid: 7,
  version: "1.2.3",
  startedAtSeconds: 1795329800.5,
  connections: 1,
  received: 2,
  stored: 3,
  spooled: 4,
};

describe("beat() and listServers() of SQLite", () => {
  test("a beat replaces the one before it of the same host, port and pid", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await store.beat({ ...SERVER, pid: 8 });
    await store.beat(SERVER);
    await store.beat({ ...SERVER, received: 20, connections: 0 });
    expect(await store.listServers()).toEqual([
      { ...SERVER, received: 20, connections: 0 },
      { ...SERVER, pid: 8 },
    ]);
  });

  test("a server is listed for as long as its last beat is young enough, and then forgotten", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await using store = openSqliteStore({ file });
    await using reader = new SqliteFile({ file });
    using database = new Database(file);
    const age = (seconds: number) => database.run("UPDATE servers SET beat_at = beat_at - ?", [seconds]);
    await store.beat(SERVER);
    age(SERVER_EXPIRY_SECONDS - 5);
    expect(await reader.listServers()).toEqual([SERVER]);
    age(6);
    expect(await reader.listServers()).toEqual([]);
    await store.beat({ ...SERVER, pid: 8 });
    expect(database.query("SELECT pid FROM servers").all()).toEqual([{ pid: 8 }]);
    expect(SERVER_EXPIRY_SECONDS).toBeLessThanOrEqual(30);
  });
});

describe("startHeartbeat()", () => {
  test("beats at once and again, with what the server has to say then", async () => {
    const beats: ServerRow[] = [];
    const store = { beat: async (row: ServerRow) => void beats.push(row) };
    let received = 0;
    const describeServer = () => ({ ...SERVER, received: received++ });
    using _ = startHeartbeat({ store, describe: describeServer, log: createRecordingLog(), intervalMs: 1 });
    await until(() => beats.length >= 3);
    expect(beats.slice(0, 3).map((row) => row.received)).toEqual([0, 1, 2]);
  });

  test("a store that fails is complained of once, and the beats go on", async () => {
    let beats = 0;
    const store = {
      async beat() {
        if (++beats < 4) throw new Error("away");
      },
    };
    const log = createRecordingLog();
    using _ = startHeartbeat({ store, describe: () => SERVER, log, intervalMs: 1 });
    await until(() => log.lines.some((line) => line.startsWith("info")));
    expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual([
      "warn Cannot leave a heartbeat: away",
      "info Heartbeats are left again after 3 failures",
    ]);
  });

  test("a store that hangs is asked once", async () => {
    let beats = 0;
    let ticks = 0;
    const store = {
      beat() {
        beats++;
        return new Promise<void>(() => {});
      },
    };
    using _ = startHeartbeat({ store, describe: () => SERVER, log: createRecordingLog(), intervalMs: 1 });
    await until(() => ++ticks > 5);
    expect(beats).toBe(1);
  });

  test("keeps no program running", async () => {
    const script = `
      import { startHeartbeat } from "${import.meta.dir}/../lib/heartbeat.ts";
      startHeartbeat({ store: { beat: async () => console.log("beat") }, describe: () => ({}), log: console });`;
    const { exitCode, stdout } = Bun.spawnSync([process.execPath, "-e", script]);
    expect({ exitCode, stdout: stdout.toString() }).toEqual({ exitCode: 0, stdout: "beat\n" });
  });
});

describe("a server on a store of statistics", () => {
  test("appears among the servers with what it has counted", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    const settings = {
      host: "localhost",
      port: 0,
      maxPayloadBytes: 1000,
      maxConnections: 10,
      maxConnectionsPerIp: 1000,
      messageTimeoutMs: 1000,
      idleTimeoutMs: 1000,
    };
    const server = startServer({ settings, store, output: async () => {}, log: createRecordingLog() });
    const [row, ...others] = await until(async () => {
      const rows = await store.listServers();
      return rows.length > 0 ? rows : undefined;
    });
    await server.stop({ timeoutMs: 1000 });
    expect(others).toEqual([]);
    expect(row).toEqual({
      host: hostname(),
      port: server.port,
      pid: process.pid,
      version: VERSION,
      startedAtSeconds: expect.any(Number),
      connections: 0,
      received: 0,
      stored: 0,
      spooled: 0,
    });
  });
});
