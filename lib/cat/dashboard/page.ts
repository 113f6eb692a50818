import type { BlockRow } from "../blocks.ts";
import { html, type Html } from "./html.ts";
import type { Snapshot } from "./live.ts";

/** The parts of the page that change, by the id of the element that holds them. */
export type Fragments = Readonly<Record<FragmentId, string>>;

type FragmentId = "notice" | "latest" | "figures" | "blocks" | "clients" | "servers" | "stores" | "summary";

/** Intervals without a new block after which the data counts as stale, and the shortest such time. */
const STALE_INTERVALS = 10;
const STALE_MIN_SECONDS = 60;
const SHOWN_HASH_CHARACTERS = 8;
const NONE = html`<span class="none">–</span>`;

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

/** Renders the parts of the page that change; times stand in UTC until the page's script puts them into the viewer's zone. */
export function renderFragments(snapshot: Snapshot): Fragments {
  return Object.fromEntries(
    Object.entries(renderParts(snapshot)).map(([id, part]) => [id, part.text]),
  ) as Fragments;
}

function renderParts(snapshot: Snapshot): Readonly<Record<FragmentId, Html>> {
  const latest = snapshot.blocks.find((block) => block.blockNumber !== null);
  return {
    notice: renderNotice(snapshot, latest),
    latest: latest ? renderLatest(latest, snapshot) : html`<p class="number none">none yet</p>`,
    figures: renderFigures(snapshot),
    blocks: renderBlocks(snapshot.blocks),
    clients: renderClients(snapshot),
    servers: renderServers(snapshot),
    stores: renderStores(snapshot),
    summary: renderSummary(snapshot),
  };
}

function renderNotice(
  { stores, blocks, atSeconds, intervalSeconds }: Snapshot,
  latest: BlockRow | undefined,
): Html {
  const away = stores.filter(({ state }) => state === "away").map(({ store }) => store);
  if (away.length > 0) {
    const shown = blocks.length > 0 ? "What you see is what it last told; it" : "The page";
    return html`<p class="notice away">
      ${away.join(" and ")} does not answer. ${shown} goes on by itself.
    </p>`;
  }
  if (blocks.length === 0)
    return html`<p class="notice empty">
      Nothing has arrived yet. Start a server and a client: the first block appears here by itself.
    </p>`;
  const staleSeconds = Math.max(STALE_MIN_SECONDS, STALE_INTERVALS * (intervalSeconds ?? 0));
  if (latest && atSeconds - latest.receivedAtSeconds > staleSeconds)
    return html`<p class="notice stale">
      No new block since ${clock(latest.receivedAtSeconds)}: clients, servers or the chain may have stopped.
    </p>`;
  return html``;
}

function renderLatest(latest: BlockRow, { intervalSeconds: usualSeconds }: Snapshot): Html {
  const { blockNumber, receivedAtSeconds, intervalSeconds, hash, bytes } = latest;
  const progress = html`<progress
    data-since="${iso(receivedAtSeconds)}"
    max="${usualSeconds ?? 1}"
    value="0"
    aria-label="Time since the latest block, as a part of the usual interval"
  ></progress>`;
  return html`<p class="number" data-block="${blockNumber ?? ""}">${groupDigits(String(blockNumber))}</p>
    <p class="age">${age(receivedAtSeconds)}</p>
    <p class="detail">
      first seen
      ${clock(receivedAtSeconds)}${
        intervalSeconds === null ? "" : html`, ${duration(intervalSeconds)} after the block before`
      }
    </p>
    <p class="detail">
      <a href="_cat/hashes/${hash}">page source</a>, ${bytes ?? "?"} bytes, SHA-256
      <code>${shorten(hash)}</code>
    </p>
    ${usualSeconds === undefined ? "" : progress}`;
}

function renderFigures(snapshot: Snapshot): Html {
  const { intervalSeconds, messagesLastMinute, messages, clientCount, servers } = snapshot;
  const spooled = servers.reduce((sum, server) => sum + server.spooled, 0);
  const connections = servers.reduce((sum, server) => sum + server.connections, 0);
  const figure = (title: string, value: Html | string, detail: string) =>
    html`<div class="card figure">
      <dt>${title}</dt>
      <dd><strong>${value}</strong> <span>${detail}</span></dd>
    </div>`;
  return html`<dl>
    ${[
      figure(
        "Block interval",
        intervalSeconds === undefined ? NONE : duration(intervalSeconds),
        "median, last hour",
      ),
      figure(
        "Messages a minute",
        messagesLastMinute === undefined ? NONE : count(messagesLastMinute),
        `${count(messages)} in all`,
      ),
      figure("Clients", count(clientCount), clientCount === 1 ? "has sent" : "have sent"),
      figure("Servers", count(servers.length), `${count(connections)} open connections`),
      figure("Spooled", count(spooled), "messages kept back"),
    ]}
  </dl>`;
}

function renderBlocks(blocks: readonly BlockRow[]): Html {
  if (blocks.length === 0) return html`<p class="none">No block yet.</p>`;
  return html`<table>
    <thead>
      <tr>
        <th class="right" scope="col">Block</th>
        <th scope="col">First seen</th>
        <th class="right" scope="col">After</th>
        <th class="right minor" scope="col">Bytes</th>
        <th scope="col">Page</th>
      </tr>
    </thead>
    <tbody>
      ${blocks.map(
        (block) =>
          html`<tr>
            <th class="right" scope="row">
              ${
                block.blockNumber === null
                  ? html`<span class="none">no block</span>`
                  : groupDigits(String(block.blockNumber))
              }
            </th>
            <td>${clock(block.receivedAtSeconds)}</td>
            <td class="right">${block.intervalSeconds === null ? NONE : duration(block.intervalSeconds)}</td>
            <td class="right minor">${block.bytes ?? NONE}</td>
            <td>
              <a href="_cat/hashes/${block.hash}" aria-label="Source of page ${shorten(block.hash)}"
                ><code>${shorten(block.hash)}</code></a
              >
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function renderClients({ clients, clientCount, messages }: Snapshot): Html {
  if (clients.length === 0) return html`<p class="none">None has sent anything yet.</p>`;
  const more = clientCount - clients.length;
  return html`<table>
      <thead>
        <tr>
          <th scope="col">Client</th>
          <th class="right" scope="col">Messages</th>
          <th class="share" scope="col">Share</th>
        </tr>
      </thead>
      <tbody>
        ${clients.map(
          ({ ip, messages: sent }) =>
            html`<tr>
              <th scope="row">${ip}</th>
              <td class="right">${count(sent)}</td>
              <td class="share">
                <meter max="${messages}" value="${sent}" aria-label="Share of all messages">
                  ${percent(sent, messages)}
                </meter>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
    ${more > 0 ? html`<p class="more">and ${count(more)} more: <a href="_cat/clients?s=count:desc">all clients</a></p>` : ""}`;
}

function renderServers({ servers }: Snapshot): Html {
  if (servers.length === 0) return html`<p class="none">None has given a sign of life in the last 30 s.</p>`;
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Server</th>
        <th scope="col">Up</th>
        <th class="right" scope="col">Open</th>
        <th class="right" scope="col">Received</th>
        <th class="right" scope="col">Stored</th>
        <th class="right" scope="col">Spooled</th>
      </tr>
    </thead>
    <tbody>
      ${servers.map(
        (server) =>
          html`<tr>
            <th scope="row">
              ${server.host}:${server.port} <span class="none">${server.pid}, v${server.version}</span>
            </th>
            <td>${uptime(server.startedAtSeconds)}</td>
            <td class="right">${count(server.connections)}</td>
            <td class="right">${count(server.received)}</td>
            <td class="right">${count(server.stored)}</td>
            <td class="right">${count(server.spooled)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function renderStores({ stores }: Snapshot): Html {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Store</th>
        <th scope="col">State</th>
      </tr>
    </thead>
    <tbody>
      ${stores.map(
        ({ store, state }) =>
          html`<tr>
            <th scope="row">${store}</th>
            <td><span class="state" data-state="${state}">${state}</span></td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** Says in words what the charts show. */
function renderSummary({ series, intervalSeconds, messagesLastMinute }: Snapshot): Html {
  const longest = (values: readonly (number | null)[] = []) =>
    Math.max(0, ...values.map((value) => value ?? 0));
  const median = intervalSeconds === undefined ? "not known yet" : duration(intervalSeconds);
  return html`Last hour: median block interval ${median}, longest ${duration(longest(series.hour[1]))}. Last
  day: longest ${duration(longest(series.day[2]))}. Messages in the last minute:
  ${messagesLastMinute ?? "not known yet"}.`;
}

// The page's script turns these into ages, local times and uptimes.
function age(seconds: number): Html {
  return html`<time data-as="age" datetime="${iso(seconds)}" title="${iso(seconds)}">${utc(seconds)}</time>`;
}

function clock(seconds: number): Html {
  return html`<time data-as="clock" datetime="${iso(seconds)}" title="${iso(seconds)}"
    >${utc(seconds)}</time
  >`;
}

function uptime(seconds: number): Html {
  return html`<time data-as="span" datetime="${iso(seconds)}" title="since ${iso(seconds)}"
    >since ${utc(seconds)}</time
  >`;
}

/** Times that no date can hold come from a clock, or a sender, that is out of its mind. */
function iso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "unknown" : date.toISOString();
}

function utc(seconds: number): string {
  return `${iso(seconds).slice(0, 19).replace("T", " ")} UTC`;
}

function duration(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(seconds < 10 ? 2 : 1)} s` : `${Math.round(seconds)} s`;
}

function count(number: number): string {
  return number.toLocaleString("en");
}

function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / Math.max(1, whole))} %`;
}

function shorten(hash: string): string {
  return `${hash.slice(0, SHOWN_HASH_CHARACTERS)}…`;
}

/** Sets digits apart in threes by their look alone, so that a number is read and copied as one. */
function groupDigits(digits: string): Html {
  const groups = digits.match(/\d{1,3}(?=(?:\d{3})*$)/g) ?? [digits];
  return html`${groups.map((group) => html`<span class="group">${group}</span>`)}`;
}
