/** What a listener drives for one socket, at each stage of its connection. */
export interface Session {
  /** Takes bytes from the socket. */
  receive(piece: Uint8Array): void;
  /** Notes that the peer will send no more; it may still read. */
  receiveEnd(): void;
  /** Writes on, as the socket has room again. */
  writeOn(): void;
  /** Finishes what is under way, and closes. */
  finish(): void;
  /** Ends what has waited for too long, at a monotonic time in milliseconds. */
  check(now: number): void;
  /** Closes at once, a reply that is on its way excepted. */
  cut(): void;
  /** Lets go of all that is kept, as the socket is closed. */
  closed(): void;
}
