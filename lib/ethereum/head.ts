/** Observations in a row with a lower number after which the chain is taken for a new one. */
const NEW_CHAIN_OBSERVATIONS = 10;

/** What a block number says about the chain's head. */
export type HeadChange = "none" | "new-block" | "new-chain";

/**
 * Tells new heads from old ones.
 *
 * A number below the last one comes from a node that lags behind a load balancer and is no change, unless it
 * stays below ten times in a row: then the chain is another one, such as a test chain that was restarted.
 */
export class Head {
  #number: bigint | undefined;
  #lower = 0;

  /** Begins behind a block number, if there is one, that is not new any more. */
  constructor(after?: bigint) {
    this.#number = after;
  }

  /** The last block number that was new. */
  get number(): bigint | undefined {
    return this.#number;
  }

  /** Takes the number that an endpoint told. */
  observe(number: bigint): HeadChange {
    const isLower = this.#number !== undefined && number < this.#number;
    this.#lower = isLower ? this.#lower + 1 : 0;
    if (number === this.#number || (isLower && this.#lower < NEW_CHAIN_OBSERVATIONS)) return "none";
    this.#number = number;
    this.#lower = 0;
    return isLower ? "new-chain" : "new-block";
  }
}
