const BEFORE_NUMBER = `<!doctype html>
<html class="no-js" lang="">
    <head>
        <meta charset="utf-8">
        <meta http-equiv="x-ua-compatible" content="ie=edge">
        <title>Ethereum Current Block Number</title>
        <meta name="description" content="eth current block">
        <meta name="viewport" content="width=device-width, initial-scale=1">
    </head>
    <body>
        <h2>Current Ethereum Block Number</h2>
        <p>`;
const AFTER_NUMBER = `</p>
    </body>
</html>`;

/**
 * Renders the HTML page that announces a block.
 *
 * Every implementation of the system renders the same bytes for the same block, as the SHA-256 of the page is
 * its identity: four spaces a level, `\n` line ends, no newline at the end.
 *
 * @example renderBlockPage(18_000_000n) // 454 bytes
 */
export function renderBlockPage(blockNumber: bigint): string {
  return `${BEFORE_NUMBER}${blockNumber}${AFTER_NUMBER}`;
}

/** Reads the number out of a page that `renderBlockPage()` could have rendered; any other text has none. */
export function parseBlockNumber(page: string): bigint | undefined {
  if (!page.startsWith(BEFORE_NUMBER) || !page.endsWith(AFTER_NUMBER)) return undefined;
  const digits = page.slice(BEFORE_NUMBER.length, -AFTER_NUMBER.length);
  // A block number has at most 256 bits.
  return /^(0|[1-9]\d{0,77})$/.test(digits) ? BigInt(digits) : undefined;
}
