import type { ServerWebSocket } from "bun";

/** A node that lives in the test, with HTTP and WebSocket on one port; disposing it cuts what is under way. */
export interface ChainNode extends AsyncDisposable {
  readonly httpUrl: string;
  readonly socketUrl: string;
  /** The number of its head. */
  head: bigint;
  chainId: bigint;
  /** Answers HTTP requests and upgrades instead of the node, when there is something to answer. */
  fault: ((method: string) => Response | undefined) | undefined;
  /** Answers a method over WebSocket instead of the node, when there is something to answer. */
  socketFault:
    ((request: { readonly id: number; readonly method: string }) => string | undefined) | undefined;
  /** Whether new heads are announced. */
  announces: boolean;
  /** Number of subscriptions that are up. */
  readonly subscriptions: number;
  /** Methods that it was asked for, over HTTP and over WebSocket. */
  readonly asked: { readonly http: readonly string[]; readonly socket: readonly string[] };
  /** Adds blocks, and announces each. */
  mine(blocks?: number): void;
  /** Sends a text to every subscriber as it is. */
  send(text: string): void;
  /** Cuts every WebSocket. */
  cut(): void;
}

interface Call {
  readonly id: number;
  readonly method: string;
}

const SUBSCRIPTION_ID = "0xcd0c3e8af590364c09d0fa6a1210faf5";
/** Methods that are remembered, the last ones. */
const MAX_REMEMBERED = 10_000;

/** Announces a head, as a node does. */
export function announcement(number: bigint, subscription = SUBSCRIPTION_ID): string {
  const result = { number: `0x${number.toString(16)}`, hash: "0x00" };
  return JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params: { subscription, result } });
}

/** Starts a node at block 0. */
export function startChainNode(): ChainNode {
  const sockets = new Set<ServerWebSocket<undefined>>();
  const subscribers = new Set<ServerWebSocket<undefined>>();
  const asked = { http: [] as string[], socket: [] as string[] };
  const note = (methods: string[], method: string) => {
    methods.push(method);
    if (methods.length > MAX_REMEMBERED) methods.shift();
  };
  const answer = ({ id, method }: Call): string => {
    const results: Record<string, string> = {
      eth_blockNumber: `0x${node.head.toString(16)}`,
      eth_chainId: `0x${node.chainId.toString(16)}`,
      eth_subscribe: SUBSCRIPTION_ID,
    };
    return JSON.stringify({ jsonrpc: "2.0", id, result: results[method] });
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request, self) {
      if (request.headers.get("upgrade") === "websocket") {
        const refusal = node.fault?.("upgrade");
        if (refusal) return refusal;
        return self.upgrade(request) ? undefined : new Response("no upgrade", { status: 400 });
      }
      const call = (await request.json()) as Call;
      note(asked.http, call.method);
      return node.fault?.(call.method) ?? new Response(answer(call));
    },
    websocket: {
      open: (socket) => void sockets.add(socket),
      message(socket, text) {
        const call = JSON.parse(String(text)) as Call;
        note(asked.socket, call.method);
        const fault = node.socketFault?.(call);
        socket.send(fault ?? answer(call));
        if (fault === undefined && call.method === "eth_subscribe") subscribers.add(socket);
      },
      close(socket) {
        sockets.delete(socket);
        subscribers.delete(socket);
      },
    },
  });
  const node: ChainNode = {
    httpUrl: `http://127.0.0.1:${server.port}`,
    socketUrl: `ws://127.0.0.1:${server.port}`,
    head: 0n,
    chainId: 1n,
    fault: undefined,
    socketFault: undefined,
    announces: true,
    asked,
    get subscriptions() {
      return subscribers.size;
    },
    mine(blocks = 1) {
      for (let mined = 0; mined < blocks; mined++) {
        node.head++;
        if (node.announces) node.send(announcement(node.head));
      }
    },
    send(text) {
      for (const socket of subscribers) socket.send(text);
    },
    cut() {
      for (const socket of sockets) socket.terminate();
    },
    async [Symbol.asyncDispose]() {
      node.cut();
      await server.stop(true);
    },
  };
  return node;
}
