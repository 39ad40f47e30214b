// Elements, and the two small charts of a route. page.js draws the page with them.
const [CHART_WIDTH, CHART_HEIGHT, STEP] = [120, 24, 2];

const build = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat(Infinity));
  return node;
};
const html = (tag, attributes, ...children) =>
  build(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const ms = (value) => (value === null ? "–" : value.toFixed(value < 10 ? 1 : 0));

function chart(title, paths) {
  const axis = `M-1 ${CHART_HEIGHT + 0.5}H${CHART_WIDTH - 1}`;
  const viewBox = `-2 0 ${CHART_WIDTH + 2} ${CHART_HEIGHT + 6}`;
  const path = ([name, d]) => svg("path", { class: name, d });
  const lines = Object.entries({ axis, ...paths }).map(path);
  return svg("svg", { role: "img", viewBox }, svg("title", {}, title), lines);
}

const height = (share) => Math.round(CHART_HEIGHT - share * (CHART_HEIGHT - 1));

// Requests per second, with a foot in another shape where a request ended in an error.
function bars({ chart_per_second: rates, chart_errors: errors }) {
  const most = Math.max(...rates);
  const up = (rate, at) => (rate ? `M${at * STEP} ${CHART_HEIGHT}V${height(rate / most)}` : "");
  const foot = (count, at) => (count ? `M${at * STEP - 1} ${CHART_HEIGHT + 1}l2 4h-4z` : "");
  const paths = { bar: rates.map(up).join(""), foot: errors.map(foot).join("") };
  return chart(`requests per second, at most ${most}`, paths);
}

// The p95, with gaps where there were no requests; a single point is a dash.
function line({ chart_p95_ms: values }) {
  const most = Math.max(...values) || 1;
  const point = (value, at) => {
    if (value === null) return "";
    const [x, y] = [at * STEP, height(value / most)];
    return (values[at - 1] ?? null) === null ? `M${x - 1} ${y}H${x}` : `L${x} ${y}`;
  };
  return chart(`p95, at most ${ms(most)} ms`, { line: values.map(point).join("") });
}
