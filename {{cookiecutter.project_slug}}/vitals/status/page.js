// Draws the data that the page embeds, then status.json every second. Data becomes text and
// attribute values, never markup. Only nodes that differ are changed, so that a selection and
// the keyboard's focus stay, and a screen reader reads only what is new.
const UPDATE_MS = 1000;
const TIMEOUT_MS = 4000;
const OTHER_FINDINGS = 4;
const MARKS = { pass: "✔ pass", warn: "▲ warn", fail: "✖ fail" };
const GAUGES = {
  http_server_active_requests: "active requests",
  db_client_connections_in_use: "database connections in use",
  db_client_connections_max: "database connections, limit",
  event_loop_lag_seconds: "event loop lag, s",
  log_lines_dropped_total: "log lines dropped",
};
const live = document.getElementById("live");
let data, shownAt; // what is being drawn, and when it was taken

const mark = (status) => html("span", { class: `mark ${status}` }, MARKS[status]);
const code = (text) => html("code", {}, text);
const bad = (text) => html("span", { class: "bad" }, text);
const percent = (share, digits) => `${(share * 100).toFixed(digits)}%`;

function moment(iso) {
  if (!iso) return "never";
  const [day, time] = new Date(iso).toISOString().split("T");
  const text = data.at.startsWith(day) ? time.slice(0, 8) : `${day} ${time.slice(0, 5)}`;
  return html("time", { datetime: iso }, `${text} UTC`);
}

function age(iso) {
  const seconds = (Date.parse(data.at) - Date.parse(iso)) / 1000;
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}

// A column is a title, its kind and what it shows of a row.
const CHECKS = [
  ["check", "head", (check) => check.name],
  ["status", "", (check) => mark(check.status)],
  ["severity", "", (check) => (check.required ? "required" : "optional")],
  ["since", "", (check) => [moment(check.since), `, ${age(check.since)} ago`]],
  ["last pass", "", (check) => moment(check.last_ok)],
  ["duration, ms", "number", (check) => check.observedValue.toFixed(1)],
  ["reason", "text", (check) => check.output ?? ""],
];
const ROUTES = [
  ["route", "head", (row) => row.route],
  ["requests/s", "number", (row) => row.per_second.toFixed(2)],
  ["server errors", "number", ({ error_share: part }) => (part ? bad : String)(percent(part, 1))],
  ["p50, ms", "number", (row) => ms(row.p50_ms)],
  ["p95, ms", "number", (row) => ms(row.p95_ms)],
  ["database calls", "number", (row) => row.db_calls.toFixed(1)],
  ["cache hits", "number", (row) => (row.hit_share === null ? "–" : percent(row.hit_share, 0))],
  ["requests/s over time, ▲ errors", "", bars],
  ["p95 over time", "", line],
];
const REPEATS = [
  ["times", "number", (each) => bad(each.times)],
  ["route", "head", (each) => each.route],
  ["statement", "text", (each) => code(each.statement)],
  ["last", "", (each) => moment(each.last)],
  ["request ID", "text", (each) => code(each.request_id)],
];
const FAILURES = [
  ["time", "", (each) => moment(each.at)],
  ["request", "head", (each) => `${each.method} ${each.route}`],
  ["status", "", (each) => each.status],
  ["error", "text", (each) => each.error || "none: an intended answer"],
  ["request ID", "text", (each) => code(each.request_id)],
];
const CHANGES = [
  ["time", "", (each) => moment(each.since)],
  ["check", "head", (each) => each.name],
  ["status", "", (each) => mark(each.status)],
  ["reason", "text", (each) => each.output ?? ""],
];
const VALUES = [
  ["name", "head", ([name]) => name],
  ["value", "text", ([, value]) => value],
];

function table(id, title, columns, rows) {
  const heads = columns.map(([head, kind]) => html("th", { scope: "col", class: kind }, head));
  const cell = (kind, shown) =>
    kind === "head" ? html("th", { scope: "row" }, shown) : html("td", { class: kind }, shown);
  const body = rows.map((row) =>
    html("tr", {}, columns.map(([, kind, show]) => cell(kind, show(row)))));
  const scroll = { class: "scroll", role: "region", tabindex: 0, "aria-labelledby": `${id}-title` };
  const head = html("thead", {}, html("tr", {}, heads));
  return [
    html("h2", { id: `${id}-title` }, title),
    rows.length
      ? html("div", scroll, html("table", {}, head, html("tbody", { id }, body)))
      : html("p", { id }, "none"),
  ];
}

function since(finding) {
  return ["Since ", moment(finding.since), `, ${age(finding.since)} ago: ${finding.reason}`];
}

function remedy({ remedy, runbook }) {
  const isLink = /^https?:/.test(data.runbook);
  const heading = isLink
    ? html("a", { href: `${data.runbook}#${runbook.toLowerCase()}` }, `runbook, “${runbook}”`)
    : `${data.runbook}, “${runbook}”`;
  return html("p", {}, html("strong", {}, "What to do:"), ` ${remedy} See `, heading, ".");
}

function diagnosis([worst, ...others]) {
  const more = others.slice(0, OTHER_FINDINGS).map((each) =>
    html("li", {}, html("strong", {}, each.sentence), ". ", since(each)));
  return html("section", { class: "diagnosis", "aria-labelledby": "sentence" },
    html("div", { role: "status" },
      html("h2", { id: "sentence" }, mark(data.status), ` ${data.sentence}`)),
    worst ? [html("p", {}, since(worst)), remedy(worst)] : [],
    more.length ? html("ul", {}, more) : []);
}

function facts() {
  const named = Object.entries(GAUGES).filter(([name]) => name in data.gauges);
  const gauges = named.map(([name, title]) => [title, Number(data.gauges[name].toPrecision(3))]);
  const counts = [["requests in 15 min", data.requests], ["server errors in 15 min", data.errors]];
  const all = [...counts, ...gauges].map(([title, value]) =>
    html("div", {}, html("dt", {}, title), html("dd", {}, value)));
  return html("dl", { class: "facts" }, all);
}

function draw(fresh) {
  data = fresh;
  const own = Object.entries(data.sections).map(([title, values], at) =>
    table(`section-${at}`, title, VALUES, Object.entries(values)));
  const hidden = data.routes_not_shown ? `; ${data.routes_not_shown} faster routes not shown` : "";
  const main = html("main", {},
    diagnosis(data.findings),
    facts(),
    table("checks", "Checks", CHECKS, data.checks),
    table("routes", `Routes in the last 15 minutes, slowest first${hidden}`, ROUTES, data.routes),
    own,
    table("repeats", "Repeated statements in one request", REPEATS, data.repeats.slice(0, 5)),
    table("failures", "Last server errors", FAILURES, data.failures.slice(0, 10)),
    table("changes", "Changes", CHANGES, data.changes.slice(0, 12)),
    table("settings", "Settings", VALUES, Object.entries(data.settings)));
  const about = Object.entries(data.about).filter(([name]) => name !== "name");
  const running = [...about.map((pair) => pair.join(" ")), `up ${age(data.up_since)}`].join(" · ");
  patch(document.getElementById("about"), html("p", { id: "about" }, running));
  patch(document.querySelector("main"), main);
  document.title = `${MARKS[data.status]}: ${data.about.name}`;
  shownAt = data.at.slice(11, 19);
}

// Makes `here` equal to `fresh` and leaves alone what is equal already, so also the rows below
// a new one.
function patch(here, fresh) {
  if (here.isEqualNode(fresh)) return;
  if (!here.cloneNode().isEqualNode(fresh.cloneNode())) {
    here.replaceWith(fresh);
    return;
  }
  const [old, wanted] = [[...here.childNodes], [...fresh.childNodes]];
  for (const [at, child] of wanted.entries()) {
    const place = wanted.slice(at).findIndex((other) => other.isEqualNode(old[0] ?? null));
    if (place > 0 || !old.length) here.insertBefore(child, old[0] ?? null);
    else patch(old.shift(), child);
  }
  old.forEach((child) => child.remove());
}

function say(text, stale) {
  if (live.textContent !== text) live.textContent = text;
  document.body.classList.toggle("stale", stale);
}

async function refresh() {
  try {
    // without the credentials that the page's own address may contain: fetch refuses them
    const answer = await fetch(`${location.origin}${location.pathname}.json`, {
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    draw(await answer.json());
    say("Live: updated every second.", false);
  } catch (error) {
    const reason = `No valid answer from this process (${error.message}).`;
    say(`${reason} Snapshot taken at ${shownAt} UTC; the data below is stale.`, true);
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, UPDATE_MS);
}

document.addEventListener("visibilitychange", () => document.hidden || refresh());
draw(JSON.parse(document.getElementById("data").textContent));
say(`Snapshot taken at ${shownAt} UTC.`, false);
loop();
