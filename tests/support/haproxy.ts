import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARIES, takeFreePort } from "./database_server.ts";
import { ROOT, startProgram, type Program } from "./program.ts";
import { openTempFolder } from "./temp_folder.ts";
import { until } from "./until.ts";

/** Options of {@linkcode startHaproxy}. */
export interface HaproxyOptions {
  /** Ports of the servers, on this machine. */
  readonly ports: readonly number[];
  /** Address to listen on. @default {"127.0.0.1"} */
  readonly host?: string;
  /** How true addresses are told. @default {"send-proxy-v2", as in the file} */
  readonly send?: "send-proxy" | "send-proxy-v2";
}

/** A HAProxy in front of servers. */
export interface Haproxy extends AsyncDisposable {
  readonly port: number;
  readonly program: Program;
}

/** Starts a HAProxy with `deploy/haproxy.cfg`, but for the addresses and a shorter interval of checks. */
export async function startHaproxy({
  ports,
  host = "127.0.0.1",
  send = "send-proxy-v2",
}: HaproxyOptions): Promise<Haproxy> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await openTempFolder());
  const port = takeFreePort();
  const config = readFileSync(join(ROOT, "deploy", "haproxy.cfg"), "utf8")
    .replace(/bind :8888$/m, `bind ${host}:${port}`)
    .replace("inter 500ms", "inter 50ms")
    .replace("send-proxy-v2\n", `${send}\n`)
    .replace(/^ +server .*\n/gm, "");
  const servers = ports.map((server, index) => `    server server${index} 127.0.0.1:${server}\n`).join("");
  writeFileSync(folder.file("haproxy.cfg"), config + servers);
  const program = opened.use(
    startProgram([BINARIES.haproxy ?? "haproxy", "-db", "-f", folder.file("haproxy.cfg")]),
  );
  await until(
    () =>
      Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then((socket) => {
        socket.end();
        return true;
      }),
    { what: "HAProxy" },
  );
  const owned = opened.move();
  return { port, program, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
