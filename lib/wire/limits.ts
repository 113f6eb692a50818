/** Why a connection was refused or ended by the server; where a flag sets the limit, it is called as the flag is. */
export type Limit = (typeof LIMITS)[number];

/** What a listener has counted since it started. */
export interface ListenerCounts {
  /** Connections that were accepted, refused ones among them. */
  accepted: number;
  /** Connections that were refused or ended by the server. */
  readonly limited: Record<Limit, number>;
}

const LIMITS = [
  "max-connections",
  "max-connections-per-ip",
  "max-in-flight",
  "max-payload",
  "message-timeout",
  "idle-timeout",
  "malformed",
  "proxy-trust",
  "proxy-header",
  "tls",
] as const;

/** Creates counts that are all zero. */
export function createListenerCounts(): ListenerCounts {
  return {
    accepted: 0,
    limited: Object.fromEntries(LIMITS.map((limit) => [limit, 0])) as Record<Limit, number>,
  };
}
