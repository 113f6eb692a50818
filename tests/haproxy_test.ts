import { describe, expect } from "bun:test";
import { renderBlockPage } from "../lib/block_page.ts";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import { testWith } from "./services.ts";
import { takeFreePort } from "./support/database_server.ts";
import { startHaproxy } from "./support/haproxy.ts";
import { connectNetstring, okFor } from "./support/netstring_client.ts";
import { startEntry, type Program } from "./support/program.ts";
import { sendAsPeer } from "./support/peer_client.ts";
import { openTempFolder, type TempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const test = testWith(["haproxy"]);

const SENDERS = 8;
const MESSAGES_BETWEEN = 300;
const TEST_TIMEOUT_MS = 60_000;

function startServer(folder: TempFolder, port = 0): Program {
  const flags = [
    "--port",
    `${port}`,
    "--proxy-protocol",
    "--proxy-trust",
    "127.0.0.1",
    "--drain-delay",
    "0.5",
  ];
  return startEntry(["server.ts", ...flags, "--sqlite", folder.file("eth.db")]);
}

describe("servers behind HAProxy", () => {
  test.each(["send-proxy", "send-proxy-v2"] as const)(
    "print, count and answer true addresses: %s",
    async (send) => {
      await using opened = new AsyncDisposableStack();
      const folder = opened.use(await openTempFolder());
      const server = opened.use(startServer(folder));
      const haproxy = opened.use(await startHaproxy({ ports: [await server.port()], send }));
      for (const localAddress of ["127.0.0.2", "127.0.0.3"]) {
        const client = opened.use(await connectNetstring({ port: haproxy.port, localAddress }));
        client.send("hello", "again");
        expect(await client.receive(2)).toEqual([okFor("hello"), okFor("again")]);
        await server.match(new RegExp(`DATA - ${localAddress}:${client.localPort} - hello\n`));
      }
      await sendAsPeer("of an older client", haproxy);
      await server.match(/DATA - 127\.0\.0\.1:\d+ - of an older client\n/);
      const store = opened.use(openSqliteStore({ file: folder.file("eth.db"), write: false }));
      const counted = async () => (await store.listClients()).length === 3 && (await store.listClients());
      expect(await until(counted)).toEqual([
        { ip: "127.0.0.2", messages: 2 },
        { ip: "127.0.0.3", messages: 2 },
        { ip: "127.0.0.1", messages: 1 },
      ]);
      expect(server.stderr).not.toContain("warn");
    },
  );

  test(
    "are restarted one after the other without a failed delivery",
    async () => {
      await using opened = new AsyncDisposableStack();
      const folder = opened.use(await openTempFolder());
      const ports = [takeFreePort(), takeFreePort()];
      const servers = ports.map((port) => opened.use(startServer(folder, port)));
      await Promise.all(servers.map((server) => server.port()));
      const haproxy = opened.use(await startHaproxy({ ports }));

      let next = 0;
      let acknowledged = 0;
      let isDone = false;
      const failed: string[] = [];
      const send = async () => {
        while (!isDone) {
          const block = next++;
          const page = renderBlockPage(BigInt(block));
          await using client = await connectNetstring(haproxy);
          client.send(page);
          const [reply] = await client.receive(1);
          if (reply === okFor(page)) acknowledged++;
          else failed.push(`block ${block}: ${reply ?? client.state}`);
        }
      };
      const more = () => {
        const target = acknowledged + MESSAGES_BETWEEN;
        return until(() => acknowledged >= target, { what: "more acknowledgements" });
      };
      const restartAll = async () => {
        for (const [index, port] of ports.entries()) {
          await more();
          servers[index]?.kill("SIGTERM");
          await haproxy.program.match(new RegExp(`server${index} is DOWN.*error unavailable`));
          expect((await servers[index]?.ended)?.status).toBe(0);
          await more();
          const server = opened.use(startServer(folder, port));
          servers[index] = server;
          await server.match(/DATA - /); // HAProxy has found it
        }
        isDone = true;
      };
      await Promise.all([restartAll(), ...Array.from({ length: SENDERS }, send)]);
      console.log(`rolling restart: ${next} sent, ${acknowledged} acknowledged, ${failed.length} failed`);
      expect({ acknowledged, failed }).toEqual({ acknowledged: next, failed: [] });
      const store = opened.use(openSqliteStore({ file: folder.file("eth.db"), write: false }));
      expect((await store.listHashes({ limit: next + 1 })).length).toBe(next);
    },
    TEST_TIMEOUT_MS,
  );
});
