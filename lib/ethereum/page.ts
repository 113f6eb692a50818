/**
 * Renders the HTML page that announces a block.
 *
 * Every implementation of the system renders the same bytes for the same block, as the SHA-256 of the page is
 * its identity: four spaces a level, `\n` line ends, no newline at the end.
 *
 * @example renderBlockPage(18_000_000n) // 454 bytes
 */
export function renderBlockPage(blockNumber: bigint): string {
  return `<!doctype html>
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
        <p>${blockNumber}</p>
    </body>
</html>`;
}
