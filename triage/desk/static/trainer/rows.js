// Training rows one by one, on the page 数据: find, change, relabel, take out, and undo.
import { $, area, ask, button, choice, element, field, labelled, notice } from "../page.js";
import { call, post } from "../api.js";
import { words } from "./words.js";

const KINDS = { utterances: "对话句子", complaints: "诉求" };
const wanted = { kind: "utterances", label: "", q: "" };
let root, list, titles, known, items = [], total = 0, picked = -1, round = 0, done = [];

export const keys = [
  ["j", "下一句", () => move(1)], ["k", "上一句", () => move(-1)], ["Enter", "修改这一句", () => items[picked] && edit(items[picked])],
  ["Delete", "删去这一句", () => items[picked] && retire(items[picked])], ["u", "撤销上一次修改", undo], ["/", "查找句子", () => $("rows-search")?.focus()],
];
export function card(found) {
  titles = { utterances: Object.fromEntries(found.intents.map((one) => [one.name, one.title])), complaints: Object.fromEntries(found.categories.map((one) => [one.name, one.title])) };
  [items, picked, done] = [[], -1, []];
  root = element("section", "card");
  root.id = "rows";
  const kinds = choice(KINDS, "哪种数据", wanted.kind), search = field("search", "查找句子 /", wanted.q), bar = element("div", "keep");
  let labels = picker(), later;
  search.id = "rows-search";
  search.required = false;
  kinds.onchange = () => { Object.assign(wanted, { kind: kinds.value, label: "" }); const fresh = picker(); labels.replaceWith(fresh); labels = fresh; read(); };
  search.oninput = () => { clearTimeout(later); later = setTimeout(() => { wanted.q = search.value; read(); }, 250); };
  bar.append(kinds, labels, search, button("撤销 u", "quiet", undo));
  list = element("div");
  root.append(element("h2", "", "逐句查看和修改"), element("p", "small", "j、k 上下选，回车修改，Delete 删去，u 撤销。改动马上写进文件，下次训练生效。"), bar, list);
  read();
  return root;
}
function picker() {
  const made = choice({ "": "全部", ...titles[wanted.kind] }, "意图或类别", wanted.label);
  made.onchange = () => { wanted.label = made.value; read(); };
  return made;
}
const asked = (offset) => `/trainer/data/rows?${new URLSearchParams({ ...wanted, offset })}`;
async function read() {
  const mine = ++round;
  let page;
  try { [page, known] = await Promise.all([call(asked(0), { quiet: true }), words()]); } catch (error) { list.replaceChildren(element("p", "wrong", `没能读到：${error.message}`), button("再试一次", "quiet", read)); return; }
  if (mine !== round) return;
  [items, total, picked] = [page.items, page.total, -1];
  draw();
}
async function more() {
  items = [...items, ...(await call(asked(items.length))).items];
  draw();
}
function draw() {
  const rows = element("ol", "rows"), label = (one) => one.intent ? titles.utterances[one.intent] || one.intent : `${titles.complaints[one.category]} ${one.priority}`;
  rows.setAttribute("aria-label", "训练句子");
  rows.append(...items.map((one, at) => {
    const line = element("li", at === picked ? "picked" : ""), open = button("", "open", () => { picked = at; edit(one); }), about = element("span", "line");
    about.append(element("span", "", label(one)), element("span", "", one.place));
    const text = element("span", "text");
    text.append(...marked(one));
    open.append(text, about);
    line.append(open);
    return line;
  }));
  const shown = [element("p", "small", total ? `共${total}句。` : "没有这样的句子。")];
  if (items.length) shown.push(rows);
  if (items.length < total) shown.push(button("再看50句", "quiet more", more));
  list.replaceChildren(...shown);
}
/** A sentence as it is said, its entities underlined and named. */
function marked(one) {
  if (!one.intent) return [one.text];
  return one.text.split(/(\[[^[\]]+\]\(\w+\))/).map((piece) => {
    const found = piece.match(/^\[(.+)\]\((\w+)\)$/);
    if (!found) return piece;
    const made = element("ins", "", found[1]);
    made.title = known.entity[found[2]] || found[2];
    return made;
  });
}
function move(step) {
  if (!items.length) return;
  picked = Math.max(0, Math.min(items.length - 1, picked + step));
  [...list.querySelectorAll("li")].forEach((one, at) => one.classList.toggle("picked", at === picked));
  list.querySelectorAll("li .open")[picked].focus();
}
async function edit(one) {
  const text = area("句子"), fields = [labelled("句子", text)], spoken = Boolean(one.intent);
  text.value = one.text;
  const label = choice(spoken ? titles.utterances : titles.complaints, spoken ? "意图" : "类别", one.intent || one.category);
  const priority = choice(Object.fromEntries(Object.entries(known.priorities).map(([key, name]) => [key, `${key} ${name}`])), "优先级", one.priority);
  fields.push(labelled(spoken ? "意图" : "类别", label));
  if (spoken) fields.push(element("p", "small", `实体写作“[词](实体)”，如“[上个月](month)电费多少”。实体有：${known.entities.map((each) => `${each.name} ${each.title}`).join("、")}。`));
  else fields.push(labelled("优先级", priority));
  fields.push(button("删去这一句", "quiet", () => { $("ask").close(); retire(one); }));
  if (!(await ask("修改这一句", fields, "保存"))) return focus();
  const changed = spoken ? { text: text.value.trim(), intent: label.value } : { ...bare(one), text: text.value.trim(), category: label.value, priority: priority.value };
  if (JSON.stringify(changed) !== JSON.stringify(bare(one))) await save({ old: bare(one), new: changed }, one, "已保存。");
  focus();
}
async function retire(one) {
  if (await ask(`删去“${one.text.slice(0, 40)}”？`, [element("p", "", "以后的训练不再学这一句，可以撤销。")], "删去")) await save({ old: bare(one) }, one, "已删去。");
  focus();
}
/** The row as the files hold it, without its place. */
const bare = ({ place, ...row }) => row;
async function save(change, one, said) {
  let found;
  try { found = await post("/trainer/data/rows", change, { quiet: true }); } catch (error) { notice(error.message); if (error.status === 409) await read(); return; }
  done.push({ old: found.row && bare(found.row), new: bare(one), place: one.place });
  await again();
  notice(said, "撤销", undo, 10);
}
async function undo() {
  const last = done.pop();
  if (!last) return notice("没有可以撤销的。");
  try { await post("/trainer/data/rows", last, { quiet: true }); } catch (error) { notice(error.status === 409 ? `不能撤销，之后别人改过。${error.message}` : error.message); return read(); }
  await again();
  notice("已撤销。");
}
async function again() {
  const at = picked;
  await read();
  if (items.length) { picked = Math.min(Math.max(at, 0), items.length - 1); draw(); focus(); }
}
const focus = () => list.querySelectorAll("li .open")[picked]?.focus();
