// Keeps the page up to date: swaps the parts that the server sends, puts times into the viewer's zone, draws the charts.
"use strict";

const SILENCE_MS = 15_000; // the server gives a sign of life every 5 s
const RETRY_MAX_MS = 10_000;

const byId = (id) => document.getElementById(id);

/* Times */

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
// The server's clock minus this one's, so that ages are right where the viewer's clock is wrong.
let skewMs = 0;

function describeSpan(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

function showTime(element) {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const span = describeSpan(Date.now() + skewMs - date);
  let text;
  if (element.dataset.as === "age") text = `${span} ago`;
  else if (element.dataset.as === "span") text = span;
  else text = (Math.abs(Date.now() - date) < 12 * 3600_000 ? clockFormat : dayFormat).format(date);
  if (element.textContent !== text) element.textContent = text;
}

function showTimes(root) {
  for (const element of root.querySelectorAll("time[data-as]")) showTime(element);
  for (const element of root.querySelectorAll("progress[data-since]"))
    element.value = (Date.now() + skewMs - new Date(element.dataset.since)) / 1000;
}

/* Parts */

function swap(id, markup) {
  const element = byId(id);
  if (!element) return;
  const focused = element.contains(document.activeElement) && document.activeElement.getAttribute("href");
  element.innerHTML = markup; // escaped by the server, and the page's policy runs nothing in it
  showTimes(element);
  if (focused) element.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

let shownBlock = "";

function showBlock() {
  const block = byId("latest").querySelector("[data-block]")?.dataset.block ?? "";
  document.title = block ? `${block} · Ethereum blocks` : "Ethereum blocks";
  if (shownBlock && block !== shownBlock) {
    byId("latest").classList.remove("fresh");
    void byId("latest").offsetWidth; // restarts the animation
    byId("latest").classList.add("fresh");
  }
  shownBlock = block;
}

/* Charts */

const charts = new Map();
let series;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function describeSeconds(value) {
  return value == null ? "–" : `${value < 100 ? value.toFixed(1) : Math.round(value)} s`;
}

const CHARTS = {
  hour: {
    describe: ([at, value]) => `${clockFormat.format(at * 1000)}: ${describeSeconds(value)}`,
    unit: " s",
    series: () => [
      { stroke: color("--accent"), width: 1.5, fill: color("--accent-soft"), points: { show: false } },
    ],
  },
  day: {
    describe: ([at, mean, longest]) =>
      `${clockFormat.format(at * 1000)}: ${describeSeconds(mean)}, longest ${describeSeconds(longest)}`,
    unit: " s",
    series: () => [
      { stroke: color("--accent"), width: 2, points: { show: false } },
      {
        fill: color("--accent-soft"),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [1, 24] }),
      },
    ],
  },
  messages: {
    describe: ([at, value]) => `${clockFormat.format(at * 1000)}: ${value ?? "–"}`,
    unit: "",
    series: () => [
      {
        fill: color("--accent"),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.7, 24], radius: 0.2, align: 1 }),
      },
    ],
  },
};

function sizeOf(id) {
  const { clientWidth: width, clientHeight: height } = byId(`${id}-plot`);
  return { width, height };
}

function createChart(id) {
  const chart = CHARTS[id];
  const axis = {
    stroke: color("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const readout = byId(`${id}-readout`);
  const options = {
    ...sizeOf(id),
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7, fill: color("--accent"), width: 0 } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max ?? 1) * 1.1] } },
    axes: [
      {
        ...axis,
        size: 30,
        grid: { show: false },
        space: 70,
        values: (_, ticks) => ticks.map((tick) => minuteFormat.format(tick * 1000)),
      },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => `${tick}${chart.unit}`), space: 32 },
    ],
    series: [{}, ...chart.series()],
    hooks: {
      setCursor: [
        ({ cursor: { idx }, data }) => {
          readout.textContent = idx == null ? "" : chart.describe(data.map((values) => values[idx]));
        },
      ],
    },
  };
  return new uPlot(options, series[id], byId(`${id}-plot`));
}

function drawCharts({ anew = false } = {}) {
  if (!series) return;
  for (const id of Object.keys(CHARTS)) {
    const isEmpty = !series[id][1].some((value) => value != null);
    byId(`${id}-plot`).classList.toggle("empty", isEmpty);
    if (anew) {
      charts.get(id)?.destroy();
      charts.delete(id);
    }
    if (isEmpty && !charts.has(id)) continue;
    if (charts.has(id)) charts.get(id).setData(series[id]);
    else charts.set(id, createChart(id));
  }
}

/* Connection */

let heardAt = 0;
let isAway = false;
let source;
let retryMs = 1000;
let retry;

function hear() {
  heardAt = Date.now();
  retryMs = 1000;
  if (isAway) byId("away").hidden = true;
  isAway = false;
  byId("status").dataset.state = "live";
  byId("status").textContent = "Live";
}

function lose() {
  source?.close();
  clearTimeout(retry);
  retry = setTimeout(connect, retryMs);
  retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
  byId("status").dataset.state = "away";
  byId("status").textContent = "Reconnecting";
  if (isAway) return;
  isAway = true;
  const since = byId("away-since");
  since.dateTime = new Date(heardAt || Date.now()).toISOString();
  since.title = since.dateTime;
  since.textContent = clockFormat.format(new Date(since.dateTime));
  byId("away").hidden = false;
}

function connect() {
  heardAt ||= Date.now();
  source = new EventSource("dashboard/events");
  source.onerror = lose;
  const on = (name, take) =>
    source.addEventListener(name, (event) => {
      hear();
      take(event.data);
    });
  for (const id of ["notice", "latest", "figures", "blocks", "clients", "servers", "stores", "summary"]) {
    on(id, (markup) => {
      swap(id, markup);
      if (id === "latest") showBlock();
    });
  }
  on("series", (text) => {
    series = JSON.parse(text);
    drawCharts();
  });
  on("beat", (at) => {
    if (at) skewMs = Number(at) - Date.now();
  });
  // Where a stream cannot be held, such as on Lambda, it ends, and its last event says when to ask again.
  on("again", (ms) => {
    source.close();
    clearTimeout(retry);
    retry = setTimeout(connect, Number(ms));
  });
}

showTimes(document);
showBlock();
byId("status").textContent = "Connecting";
byId("status").dataset.state = "static";
connect();

setInterval(() => {
  showTimes(document);
  if (!isAway && Date.now() - heardAt > SILENCE_MS) lose();
}, 1000);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawCharts({ anew: true }));
new ResizeObserver(() => {
  for (const [id, chart] of charts) chart.setSize(sizeOf(id));
}).observe(document.querySelector("main"));
