import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { Connection } from "../../lib/wire/connection.ts";
import { InFlight } from "../../lib/wire/in_flight.ts";
import { frame } from "../support/netstring_client.ts";
import { until } from "../support/until.ts";

const LONG_MS = 60_000;
const MAX_KEPT_BYTES = 1_000_000;

/** A connection whose peer reads nothing, so that its answers stay unwritten. */
function createUnread() {
  let isGone = false;
  const calls: string[] = [];
  const note = (name: string) => () => void calls.push(name);
  const socket = {
    write: () => (isGone ? -1 : 0),
    pause: note("pause"),
    resume: note("resume"),
    end: note("end"),
    shutdown: note("shutdown"),
    terminate: note("terminate"),
  };
  const inFlight = new InFlight({ maxKeptBytes: MAX_KEPT_BYTES });
  const taken: string[] = [];
  const connection = new Connection(socket as unknown as Socket<unknown>, {
    peer: { ip: "127.0.0.1", port: 1 },
    inFlight,
    maxPayloadBytes: 65_535,
    messageTimeoutMs: LONG_MS,
    idleTimeoutMs: LONG_MS,
    onLimit: () => {},
    onMessage: ({ payload }) => {
      taken.push(Buffer.from(payload).toString());
      return { kind: "error", code: "empty", reason: "x".repeat(70_000) };
    },
  });
  const leave = () => {
    isGone = true;
    connection.closed();
  };
  return { connection, inFlight, calls, taken, leave };
}

describe("Connection", () => {
  test("takes in what had arrived whole when its peer leaves without reading, and keeps nothing", async () => {
    const { connection, inFlight, calls, taken, leave } = createUnread();
    connection.receive(frame("first"));
    await until(() => calls.length === 0 && taken.length === 1);
    connection.receive(frame("second"));
    await new Promise((resolve) => setImmediate(resolve));
    connection.receive(Buffer.concat([frame("third"), frame("fourth"), Buffer.from("5:cut")]));
    expect({ taken, calls }).toEqual({ taken: ["first"], calls: ["pause"] });
    leave();
    await until(() => taken.length === 4);
    let isLetGo = false;
    inFlight.keep({ letGo: () => (isLetGo = true) }, MAX_KEPT_BYTES);
    expect(isLetGo).toBe(false);
  });
});
