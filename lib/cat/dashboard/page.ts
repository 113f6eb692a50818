import { html } from "./html.ts";
import type { Snapshot } from "./live.ts";
import { renderParts } from "./parts.ts";

/** Renders the whole page, which shows all there is to see even where no script runs. */
export function renderPage(snapshot: Snapshot): string {
  const part = renderParts(snapshot);
  const section = (id: "blocks" | "clients" | "servers" | "stores", title: string, className = "") =>
    html` <section class="card ${className}" aria-labelledby="${id}-title">
      <h2 id="${id}-title">${title}</h2>
      <div class="scroll" id="${id}" role="group" aria-labelledby="${id}-title" tabindex="0">${part[id]}</div>
    </section>`;
  const chart = (id: keyof Snapshot["series"], title: string, empty: string) =>
    html` <figure class="card chart">
      <figcaption id="${id}-title">
        ${title} <span class="readout" id="${id}-readout" aria-hidden="true"></span>
      </figcaption>
      <div
        class="plot"
        id="${id}-plot"
        data-empty="${empty}"
        role="img"
        aria-labelledby="${id}-title"
        aria-describedby="summary"
      ></div>
    </figure>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Ethereum blocks</title>
        <link rel="icon" href="dashboard/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="dashboard/uplot.css" />
        <link rel="stylesheet" href="dashboard/dashboard.css" />
        <script src="dashboard/uplot.js" defer></script>
        <script src="dashboard/dashboard.js" defer></script>
        <noscript><meta http-equiv="refresh" content="10" /></noscript>
      </head>
      <body>
        <a class="skip" href="#blocks-title">Skip to the blocks</a>
        <header>
          <h1><img src="dashboard/icon.svg" alt="" width="28" height="28" /> Ethereum blocks</h1>
          <p class="status" id="status" data-state="static">Reloads itself</p>
        </header>
        <div aria-live="polite">
          <p class="notice away" id="away" hidden>
            The connection to this page's server is away. What you see is as it was at
            <time id="away-since"></time>; it goes on by itself.
          </p>
          <div id="notice">${part.notice}</div>
        </div>
        <main>
          <section class="card latest" aria-labelledby="latest-title">
            <h2 id="latest-title">Latest block</h2>
            <div id="latest">${part.latest}</div>
          </section>
          <section class="figures" aria-label="Key figures" id="figures">${part.figures}</section>
          ${chart("hour", "Seconds between blocks, last hour", "Drawn from the second block on")}
          ${chart("day", "Seconds between blocks, last day", "Drawn from the second block on")}
          ${chart("messages", "Messages a minute, last hour", "Counted while this page's server runs: the first bar comes within two minutes")}
          <p class="visually-hidden" id="summary">${part.summary}</p>
          ${section("blocks", "Last blocks", "wide")}
          <div class="side">
            ${section("clients", "Clients")} ${section("servers", "Servers")} ${section("stores", "Stores")}
          </div>
        </main>
        <footer>
          <p>The same for line tools: <a href="_cat">_cat</a></p>
        </footer>
      </body>
    </html> `.text;
}
