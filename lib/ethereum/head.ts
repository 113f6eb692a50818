/** Polls in a row with a lower number after which the chain is taken for a new one. */
const NEW_CHAIN_POLLS = 10;

/** What a block number says about the chain's head. */
export type HeadChange = "none" | "new-block" | "new-chain";

/**
 * Tells new heads from old ones.
 *
 * A number below the last one comes from a node that lags behind a load balancer and is no change, unless it
 * stays below for ten polls in a row: then the chain is another one, such as a test chain that was restarted.
 */
export class Head {
  #number: bigint | undefined;
  #lowerPolls = 0;

  /** The last block number that was new. */
  get number(): bigint | undefined {
    return this.#number;
  }

  /** Takes the number that a poll gave. */
  observe(number: bigint): HeadChange {
    const isLower = this.#number !== undefined && number < this.#number;
    this.#lowerPolls = isLower ? this.#lowerPolls + 1 : 0;
    if (number === this.#number || (isLower && this.#lowerPolls < NEW_CHAIN_POLLS)) return "none";
    this.#number = number;
    this.#lowerPolls = 0;
    return isLower ? "new-chain" : "new-block";
  }
}
