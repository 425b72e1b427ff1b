// Pictures of a model's report, drawn as SVG; each is read aloud as one sentence and every mark says what it is.
const SVG = "http://www.w3.org/2000/svg";
export const percent = (value) => value === null || value === undefined ? "—" : `${(100 * value).toFixed(1)}%`;

function shape(name, attributes, title) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (title !== undefined) { const said = document.createElementNS(SVG, "title"); said.textContent = title; made.append(said); }
  return made;
}
function write(x, y, text, anchor = "start", kind = "") {
  const made = shape("text", { x, y, "text-anchor": anchor, class: kind });
  made.textContent = text;
  return made;
}
const canvas = (width, height, said, size = "") => shape("svg", { viewBox: `0 0 ${width} ${height}`, class: `picture ${size}`, role: "img", "aria-label": said });

/** Rows are meanings, columns what the model read; the diagonal is right, dark cells beside it are mix-ups. */
export function confusion(confusions, names) {
  const known = Object.keys(names), all = [...new Set(confusions.flatMap(([wanted, read]) => [wanted, read]))].sort((a, b) => (known.indexOf(a) + 1 || 999) - (known.indexOf(b) + 1 || 999));
  const many = all.length > 20, cell = many ? 11 : 24, left = many ? 92 : 128, top = many ? 92 : 124, place = new Map(all.map((name, index) => [name, index])), word = (name) => names[name] || name;
  const due = new Map();
  for (const [wanted, , n] of confusions) due.set(wanted, (due.get(wanted) || 0) + n);
  const wrong = confusions.filter(([wanted, read]) => wanted !== read), mixed = wrong.reduce((sum, [, , n]) => sum + n, 0);
  const svg = canvas(left + cell * all.length + (many ? 30 : 24), top + cell * all.length + 4, `混淆图：${mixed}句读错，最多的是${wrong.slice(0, 3).map(([wanted, read, n]) => `${word(wanted)}读成${word(read)}${n}句`).join("，") || "没有"}`, many ? "" : "middling");
  all.forEach((name, index) => {
    const at = index * cell + cell / 2;
    svg.append(write(left - 4, top + at + 3, word(name), "end", many ? "tiny" : ""));
    const column = write(0, 0, word(name), "start", many ? "tiny" : "");
    column.setAttribute("transform", `translate(${left + at + 3} ${top - 4}) rotate(-60)`);
    svg.append(column, shape("line", { x1: left, x2: left + cell * all.length, y1: top + index * cell, y2: top + index * cell, class: "grid" }), shape("line", { y1: top, y2: top + cell * all.length, x1: left + index * cell, x2: left + index * cell, class: "grid" }));
  });
  for (const [wanted, read, n] of confusions) {
    const right = wanted === read, said = right ? `${word(wanted)}：${n}句读对，共${due.get(wanted)}句` : `${word(wanted)}读成${word(read)}：${n}句，共${due.get(wanted)}句`;
    svg.append(shape("rect", { x: left + place.get(read) * cell + 0.5, y: top + place.get(wanted) * cell + 0.5, width: cell - 1, height: cell - 1, class: right ? "right" : "mixed", "fill-opacity": Math.min(1, (right ? 0.15 : 0.35) + 0.85 * n / due.get(wanted)) }, said));
    if (!many) svg.append(write(left + place.get(read) * cell + cell / 2, top + place.get(wanted) * cell + cell / 2 + 3, n, "middle", "on"));
  }
  return svg;
}
/** How sure the model said it was against how often it was right; on the line its confidence can be believed. */
export function reliability(calibration) {
  const size = 240, left = 40, top = 18, x = (value) => left + value * size, y = (value) => top + size - value * size;
  const svg = canvas(left + size + 18, top + size + 40, `可信度：${calibration.bins.map((one) => `说${percent(one.confidence)}时对${percent(one.right.value)}`).join("，")}`, "small-picture");
  for (const tick of [0, 0.5, 1]) svg.append(shape("line", { x1: x(0), x2: x(1), y1: y(tick), y2: y(tick), class: "grid" }), write(left - 4, y(tick) + 3, `${100 * tick}%`, "end"), write(x(tick), top + size + 14, `${100 * tick}%`, "middle"));
  svg.append(shape("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "ideal" }));
  for (const one of calibration.bins) {
    const said = `模型说${percent(one.confidence)}把握的${one.right.of}句里，对了${percent(one.right.value)}`;
    svg.append(shape("line", { x1: x(one.confidence), x2: x(one.confidence), y1: y(one.right.low), y2: y(one.right.high), class: "range" }, said), shape("circle", { cx: x(one.confidence), cy: y(one.right.value), r: 3 + Math.min(6, Math.sqrt(one.right.of) / 6), class: "dot" }, said));
  }
  svg.append(write(x(0.5), top + size + 32, "模型说的把握", "middle"), write(left, top - 6, "真对的比例"));
  return svg;
}
/** A value with its 95 % interval for each row: [{name, value, low, high, said}]. */
export function intervals(title, rows) {
  const left = 128, width = 444, line = 20, x = (value) => left + value * (width - left - 46);
  const svg = canvas(width, rows.length * line + 22, `${title}：${rows.map((row) => `${row.name}${percent(row.value)}`).join("，")}`);
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) svg.append(shape("line", { x1: x(tick), x2: x(tick), y1: 0, y2: rows.length * line + 4, class: "grid" }), write(x(tick), rows.length * line + 18, `${100 * tick}%`, "middle"));
  rows.forEach((row, index) => {
    const at = index * line + 12;
    svg.append(write(left - 8, at + 4, row.name, "end"), shape("line", { x1: x(row.low), x2: x(row.high), y1: at, y2: at, class: "range" }, row.said), shape("circle", { cx: x(row.value), cy: at, r: 4, class: "dot" }, row.said), write(width - 2, at + 4, percent(row.value), "end"));
  });
  return svg;
}
/** Days as bars of misses over all messages' share, with a mark at each promotion: days [{day, turns, misses, share}], marks [{day, said}]. */
export function days(rows, marks) {
  const width = 760, height = 220, left = 40, floor = height - 24, step = (width - left) / Math.max(rows.length, 1), top = Math.max(0.05, ...rows.map((row) => row.share.value || 0)), y = (value) => floor - (floor - 30) * value / top;
  const svg = canvas(width, height, `每天没听懂的比例：${rows.filter((row) => row.turns).map((row) => `${row.day}${percent(row.share.value)}`).join("，") || "还没有消息"}`);
  for (const tick of [0, top / 2, top]) svg.append(shape("line", { x1: left, x2: width, y1: y(tick), y2: y(tick), class: "grid" }), write(left - 4, y(tick) + 3, percent(tick), "end"));
  const every = Math.ceil(rows.length / 12);
  rows.forEach((row, index) => {
    const at = left + index * step;
    if (row.turns) svg.append(shape("rect", { x: at + step * 0.15, width: step * 0.7, y: y(row.share.value), height: Math.max(1, floor - y(row.share.value)), class: "bar" }, `${row.day}：${row.turns}句里${row.misses}句没听懂（${percent(row.share.value)}）`));
    if (index % every === 0) svg.append(write(at + step / 2, height - 8, row.day.slice(5), "middle"));
  });
  for (const mark of marks) {
    const index = rows.findIndex((row) => row.day === mark.day);
    if (index < 0) continue;
    const at = left + (index + mark.part) * step;
    svg.append(shape("line", { x1: at, x2: at, y1: 16, y2: floor, class: "mark" }, mark.said), write(at, 12, "上线", "middle", "marked"));
  }
  return svg;
}
