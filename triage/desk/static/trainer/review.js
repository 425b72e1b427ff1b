// 待复核: what likely went wrong, most worth a look first.
import { button, choice, element, field, notice } from "../page.js";
import { call, post } from "../api.js";
import { broken, go } from "./shell.js";
import { KINDS, STATES } from "./words.js";

const wanted = { status: "", kind: "", reason: "", q: "" };
let root, list, cursor = null, items = [], picked = -1, round = 0;

export const keys = [
  ["j", "下一条", () => move(1)], ["k", "上一条", () => move(-1)], ["Enter", "标这一条", () => items[picked] && go("annotate", items[picked].id)],
  ["n", "从第一条开始标", () => go("annotate")], ["c", "现在查一遍", collect], ["/", "搜索", () => root.querySelector("input").focus()],
];
export async function open(section) {
  root = section;
  const top = element("div", "head"), bar = element("div", "bar-line");
  const search = field("search", "搜索内容 /", wanted.q), states = choice({ "": "我能标的", ...STATES }, "状态", wanted.status);
  let later;
  search.required = false;
  search.oninput = () => { clearTimeout(later); later = setTimeout(() => { wanted.q = search.value; read(); }, 250); };
  states.onchange = () => { wanted.status = states.value; read(); };
  top.append(element("h1", "", "待复核"), element("span", "grow"), button("现在查一遍 c", "quiet", collect), button("开始标注 n", "main", () => go("annotate")));
  bar.append(search, states);
  list = element("div", "review-list");
  const counts = element("div"), agree = element("div");
  counts.id = "review-counts";
  section.replaceChildren(top, bar, counts, list, agree);
  await Promise.all([read(), agreement(agree)]);
}
function query() {
  const asked = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  if (!wanted.status) asked.set("mine", "true");
  return asked;
}
async function read() {
  const mine = ++round;
  if (!items.length) list.replaceChildren(element("p", "hint", "正在读取…"));
  let page, counts;
  try { [page, counts] = await Promise.all([call(`/trainer/review?${query()}`, { quiet: true }), call("/trainer/review/counts", { quiet: true })]); } catch (error) { list.replaceChildren(broken(`没能读到列表：${error.message}`, read)); return; }
  if (mine !== round) return;
  [items, cursor, picked] = [page.items, page.next_cursor, -1];
  drawCounts(counts);
  draw();
}
function chips(label, all, chosen, pick) {
  const made = element("div", "chips");
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", label);
  made.append(...all.map(([value, text]) => { const one = button(text, "", () => pick(value)); one.setAttribute("aria-pressed", String(value === chosen)); return one; }));
  return made;
}
function drawCounts(counts) {
  const choose = (name) => (value) => { wanted[name] = value; read(); };
  const kinds = [["", `全部 ${counts.mine.all}`], ...Object.entries(KINDS).map(([kind, name]) => [kind, `${name} ${counts.kinds[kind] || 0}`])];
  const reasons = Object.entries(counts.names).filter(([reason]) => counts.reasons[reason]).sort((a, b) => counts.reasons[b[0]] - counts.reasons[a[0]]).map(([reason, name]) => [reason, `${name} ${counts.reasons[reason]}`]);
  const line = element("p", "small", Object.entries(STATES).map(([state, name]) => `${name} ${counts.states[state] || 0}`).join("，"));
  root.querySelector("#review-counts").replaceChildren(chips("哪个模型", kinds, wanted.kind, choose("kind")), chips("原因", reasons.length ? [["", "不限原因"], ...reasons] : [], wanted.reason, choose("reason")), line);
}
function draw() {
  if (!items.length) {
    const filtered = wanted.kind || wanted.reason || wanted.q || wanted.status;
    list.replaceChildren(element("p", "hint", filtered ? "没有这样的条目。" : "没有要复核的。客户来信后十秒内会自己更新。"));
    return;
  }
  const rows = element("ol", "rows");
  rows.setAttribute("aria-label", "待复核");
  rows.append(...items.map(row));
  const shown = [rows];
  if (cursor) shown.push(button("再看50条", "quiet more", more));
  list.replaceChildren(...shown);
}
function row(item) {
  const made = element("li"), open = button("", "open", () => go("annotate", item.id));
  const head = element("span", "line");
  head.append(element("span", "", `${KINDS[item.kind]}${item.times > 1 ? `，${item.times}次` : ""}，${STATES[item.status]}`), element("span", "number", `值 ${item.value.toFixed(1)}`));
  const why = element("span", "why");
  why.append(...item.reasons.map((one) => { const chip = element("span", one.points < 0 ? "chip weak" : "chip", `${one.words} ${one.points > 0 ? "+" : "−"}${Math.abs(one.points).toFixed(1)}`); chip.title = one.name; return chip; }));
  open.append(element("span", "text", item.text), why, head);
  made.append(open);
  return made;
}
async function more() {
  const asked = query();
  asked.set("cursor", cursor);
  const page = await call(`/trainer/review?${asked}`);
  items = [...items, ...page.items];
  cursor = page.next_cursor;
  draw();
}
function move(step) {
  if (!items.length) return;
  picked = Math.max(0, Math.min(items.length - 1, picked + step));
  [...list.querySelectorAll("li")].forEach((one, at) => one.classList.toggle("picked", at === picked));
  list.querySelectorAll("li .open")[picked].focus();
}
async function collect() {
  const { added } = await post("/trainer/review/collect");
  notice(added ? `新增${added}条。` : "没有新的。");
  await read();
}
async function agreement(place) {
  const found = await call("/trainer/labels/agreement", { quiet: true }).catch(() => null);
  if (!found || !Object.keys(found).length) return;
  const names = { intent: "意图", entities: "实体", category: "类别", priority: "优先级" }, made = element("table"), top = element("tr");
  top.append(...["两人都标", "条数", "一致", "Kappa", ""].map((name) => { const cell = element("th", "", name); cell.scope = "col"; return cell; }));
  made.append(element("caption", "", "两人一致性"), top, ...Object.entries(found).map(([part, one]) => { const line = element("tr"); line.append(...[names[part], one.read_twice, one.alike, one.kappa ?? "—", one.words].map((value) => element("td", "", value))); return line; }));
  place.append(made);
}
