// How messages, cards and pictures look. Text is only ever set as text.
const NAMES = { bot: "小桥（智能客服）", agent: "人工客服" };
const UNITS = { bill: "元", usage: "千瓦时" };
const A_SCREEN = 3;

export function element(name, className, content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

export function button(title, press, className = "") {
  const made = element("button", className, title);
  made.type = "button";
  made.onclick = press;
  return made;
}

const zone = { timeZone: "Asia/Shanghai" };
export const day = (at) => new Date(at).toLocaleDateString("zh-CN", { year: "numeric", month: "long", day: "numeric", ...zone });
const clock = (at) => new Date(at).toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", ...zone });

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const spoken = (label) => /^\d{4}-\d\d$/.test(label) ? `${Number(label.slice(0, 4))}年${Number(label.slice(5))}月` : label;
const short = (label) => /^\d{4}-\d\d$/.test(label) ? String(Number(label.slice(5))) : label;

function chart(points, unit) {
  const values = points.map(([, value]) => Math.max(0, Number(value) || 0)), top = Math.max(...values, 1e-9);
  const highest = points[values.indexOf(Math.max(...values))];
  const figure = element("figure", "chart");
  figure.append(element("figcaption", "", `最高 ${highest[1]}${unit}（${spoken(highest[0])}）`));
  const bars = svg("svg", { viewBox: `0 0 ${points.length * 10} 100`, preserveAspectRatio: "none", role: "img" });
  bars.setAttribute("aria-label", `柱状图：${points.map(([label, value]) => `${spoken(label)}${value}${unit}`).join("，")}`);
  values.forEach((value, place) => {
    const height = Math.max(value / top * 100, 1.5);
    const bar = svg("rect", { x: place * 10 + 1.5, y: 100 - height, width: 7, height, class: place === values.length - 1 ? "now" : "then" });
    const title = svg("title", {});
    title.textContent = `${spoken(points[place][0])} ${points[place][1]}${unit}`;
    bar.append(title);
    bars.append(bar);
  });
  const axis = element("div", points.length <= 12 ? "axis each" : "axis");
  axis.setAttribute("aria-hidden", "true");
  const labels = points.length <= 12 && /^\d{4}-/.test(points[0][0]) ? points : [points[0], points[points.length - 1]];
  if (labels.length !== points.length) axis.className = "axis";
  axis.append(...labels.map(([label]) => element("span", "", short(label))));
  const numbers = element("details"), table = element("table"), rows = element("tbody");
  for (const [label, value] of [...points].reverse()) {
    const row = element("tr"), head = element("th", "", spoken(label));
    head.scope = "row";
    row.append(head, element("td", "", `${value}${unit}`));
    rows.append(row);
  }
  table.append(rows);
  numbers.append(element("summary", "", "看数字"), table);
  figure.append(bars, axis, numbers);
  return figure;
}

function cardOf(card) {
  const box = element("section", `card ${card.kind || ""}`);
  box.append(element("h2", "", card.title || ""));
  const list = element("dl");
  for (const [label, value] of card.rows || []) {
    const line = element("div");
    line.append(element("dt", "", label), element("dd", "", value));
    list.append(line);
  }
  if (list.children.length) box.append(list);
  if (card.chart?.length) box.append(chart(card.chart, UNITS[card.kind] || ""));
  const origin = [card.as_of && `数据时间：${card.as_of}`, card.source && `来源：${card.source}`].filter(Boolean).join("，");
  if (origin) box.append(element("footer", "", origin));
  return box;
}

const size = (bytes) => bytes < 1e6 ? `${Math.ceil(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;

function attachmentOf(attachment, renew) {
  if (attachment.kind === "location") return element("div", "bubble", `位置：${attachment.name || `${attachment.latitude}, ${attachment.longitude}`}`);
  const link = element("a", `file ${attachment.kind}`);
  link.href = attachment.url;
  link.target = "_blank";
  link.rel = "noopener";
  // the link is short-lived: ask for a fresh one when it is used later
  link.onclick = async (event) => {
    if (Date.now() - link.made < 240000) return;
    event.preventDefault();
    const page = window.open("", "_blank");
    const fresh = await renew();
    if (page && fresh) page.location = fresh; else page?.close();
  };
  link.made = Date.now();
  if (attachment.kind === "image") {
    const picture = element("img");
    picture.alt = attachment.name ? `图片：${attachment.name}` : "图片";
    picture.onerror = async () => {
      if (picture.tried) return picture.replaceWith(element("span", "small", "图片暂时打不开"));
      picture.tried = true;
      picture.src = link.href = await renew();
    };
    picture.src = attachment.url;
    link.append(picture);
  } else link.append(element("span", "", attachment.name || "文件"), element("span", "small", size(attachment.size)));
  return link;
}

export function choices(buttons, press) {
  const made = element("div", "choices");
  made.append(...buttons.map((each) => button(each.title, () => press(each))));
  page(made);
  return made;
}

/** In elder mode a screen shows three choices; 更多 turns to the next three. */
export function page(box, from = 0) {
  const all = [...box.querySelectorAll("button:not(.more)")], few = document.documentElement.classList.contains("large") && all.length > A_SCREEN;
  box.querySelector(".more")?.remove();
  all.forEach((each, place) => { each.hidden = few && (place < from || place >= from + A_SCREEN); });
  if (!few) return;
  const next = from + A_SCREEN < all.length ? from + A_SCREEN : 0;
  box.append(button(next ? "更多" : "回到前面", () => { page(box, next); box.querySelector("button:not([hidden])").focus(); }, "more"));
}

export function row(message, { press, renew } = {}) {
  const made = element("article", `row ${message.from}`);
  const name = NAMES[message.from];
  if (message.from !== "system") made.append(element("div", "meta", [name, message.at && clock(message.at)].filter(Boolean).join(" · ")));
  const files = message.attachments || [];
  if (message.text && !(files.length && /^\[.*\]/.test(message.text))) made.append(element("div", "bubble", message.text));
  for (const [place, attachment] of files.entries()) made.append(attachmentOf(attachment, () => renew(message.seq, place)));
  if (message.card) made.append(cardOf(message.card));
  if (message.buttons?.length) made.append(choices(message.buttons, press));
  return made;
}
