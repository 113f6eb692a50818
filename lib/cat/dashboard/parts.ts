import type { BlockRow } from "../blocks.ts";
import { html, type Html } from "./html.ts";
import type { Snapshot } from "./live.ts";
import { age, clock, count, duration, groupDigits, iso, percent, shorten, uptime } from "./units.ts";

/** The parts of the page that change, by the id of the element that holds them. */
export type Fragments = Readonly<Record<FragmentId, string>>;

type FragmentId = "notice" | "latest" | "figures" | "blocks" | "clients" | "servers" | "stores" | "summary";

/** Intervals without a new block after which the data counts as stale, and the shortest such time. */
const STALE_INTERVALS = 10;
const STALE_MIN_SECONDS = 60;
const NONE = html`<span class="none">–</span>`;
const UNKNOWN = html`<p class="none">Not known yet.</p>`;

/** Renders the parts of the page that change, as texts; times stand in UTC until the page's script puts them into the viewer's zone. */
export function renderFragments(snapshot: Snapshot): Fragments {
  return Object.fromEntries(
    Object.entries(renderParts(snapshot)).map(([id, part]) => [id, part.text]),
  ) as Fragments;
}

/** Renders the parts of the page that change, by the id of the element that holds them. */
export function renderParts(snapshot: Snapshot): Readonly<Record<FragmentId, Html>> {
  const latest = snapshot.blocks.find((block) => block.blockNumber !== null);
  return {
    notice: renderNotice(snapshot, latest),
    latest: latest
      ? renderLatest(latest, snapshot)
      : html`<p class="number none">${snapshot.known.has("hashes") ? "none yet" : "–"}</p>`,
    figures: renderFigures(snapshot),
    blocks: snapshot.known.has("hashes") ? renderBlocks(snapshot.blocks) : UNKNOWN,
    clients: snapshot.known.has("clients") ? renderClients(snapshot) : UNKNOWN,
    servers: snapshot.known.has("servers") ? renderServers(snapshot) : UNKNOWN,
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
  const { intervalSeconds, messagesLastMinute, messages, clientCount, servers, known } = snapshot;
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
        known.has("clients") ? `${count(messages)} in all` : "not known yet",
      ),
      known.has("clients")
        ? figure("Clients", count(clientCount), clientCount === 1 ? "has sent" : "have sent")
        : figure("Clients", NONE, "not known yet"),
      ...(known.has("servers")
        ? [
            figure("Servers", count(servers.length), `${count(connections)} open connections`),
            figure("Spooled", count(spooled), "messages kept back"),
          ]
        : [figure("Servers", NONE, "not known yet"), figure("Spooled", NONE, "not known yet")]),
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
