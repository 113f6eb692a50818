import { createConnection } from "node:net";
import { frame } from "./netstring_client.ts";

/** Sends one message as the older implementations' clients do: a new connection, closed at once, nothing read. */
export async function sendAsPeer(payload: string, { port }: { readonly port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.pause();
  socket.on("error", reject);
  socket.on("close", () => resolve());
  socket.write(frame(payload), () => socket.destroy());
  await promise;
}
