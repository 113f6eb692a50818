import { expect, test } from "bun:test";
import { describeNetworkError } from "../lib/network_error.ts";

/** A server that speaks neither HTTP nor TLS. */
function startOther() {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.write("SSH-2.0-OpenSSH_9.2 and no HTTP\r\n") },
  });
}

test.each([
  ["http", "HTTP is not spoken there"],
  ["https", "the TLS handshake failed; TLS may not be spoken there"],
])("describeNetworkError() tells that what was asked over %s is another program", async (protocol, said) => {
  using other = startOther();
  const error = await fetch(`${protocol}://127.0.0.1:${other.port}`).catch((reason: unknown) => reason);
  expect(describeNetworkError(error)).toBe(said);
});

test("describeNetworkError() gives the message of what it does not know", () => {
  expect(describeNetworkError(new Error("an oddity"))).toBe("an oddity");
});
