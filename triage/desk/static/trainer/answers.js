// 答案: what the bot says and which words it knows; changes wait for a second person.
import { $, area, ask, button, element, time } from "../page.js";
import { call, desk, post } from "../api.js";
import { broken, go } from "./shell.js";
import { editor } from "./answer.js";

const GROUPS = { faq: "常见问题", said: "带数据的回答", synonym: "同义词", word: "电力词典" };
const STATES = { proposed: "待审批", approved: "已批准", writing: "正在写入", applied: "已生效", rejected: "已退回", withdrawn: "已撤回", stale: "已失效" };
const ACTIONS = { propose: "提出", approve: "批准", ...STATES };
let page, found = null;
const wanted = { group: "faq", text: "" };

export async function open(section, path) {
  page = section;
  page.replaceChildren(element("p", "hint", "正在读取…"));
  const [kind, ...rest] = path.split("/");
  const read = async () => {
    try { found = await call("/trainer/answers", { quiet: true }); } catch (error) { page.replaceChildren(broken(`没能读到答案：${error.message}`, read)); return; }
    if (!page.isConnected) return;
    if (kind in found.kinds) await editor(page, kind, decodeURIComponent(rest.join("/")), found); else draw();
  };
  await read();
}
export const keys = [["/", "找答案", () => $("find")?.focus()]];

const group = (kind, name) => kind !== "response" ? kind : name.startsWith("utter_") ? "faq" : "said";
const flat = (kind, content) => kind === "response" ? content.text : kind === "synonym" ? content.words.join(" ") : `词频 ${content.times}`;

function draw() {
  const chips = element("div", "chips"), find = element("input"), add = button("新增", "", () => go("answers", `${wanted.group}/`)), rows = element("ul", "entries");
  Object.assign(find, { id: "find", type: "search", placeholder: "按名字或内容找", value: wanted.text });
  find.setAttribute("aria-label", "按名字或内容找");
  rows.setAttribute("aria-label", "答案");
  const show = () => {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.group === wanted.group));
    add.hidden = !["synonym", "word"].includes(wanted.group);
    const every = Object.entries(found.entries).flatMap(([kind, entries]) => entries.map((one) => ({ kind, ...one, flat: flat(kind, one.content) })));
    const fit = every.filter((one) => group(one.kind, one.name) === wanted.group && [one.name, one.title, one.flat].some((text) => text.toLowerCase().includes(wanted.text.toLowerCase())));
    rows.replaceChildren(...fit.map(entry));
    if (!fit.length) rows.append(element("li", "hint", wanted.text ? "没有找到，换个词试试。" : "这里还没有内容。"));
  };
  chips.append(...Object.entries(GROUPS).map(([name, title]) => { const made = button(title, "", () => { wanted.group = name; show(); }); made.dataset.group = name; return made; }));
  find.oninput = () => { wanted.text = find.value.trim(); show(); };
  const bar = element("div", "seek");
  bar.append(chips, find, add);
  page.replaceChildren(element("h1", "", "答案"), waiting(), bar, rows);
  show();
}
function entry(one) {
  const line = element("li"), to = button("", "entry", () => go("answers", `${one.kind}/${encodeURIComponent(one.name)}`));
  const open = found.open.find((change) => change.kind === one.kind && change.name === one.name);
  to.append(element("strong", "", one.title), element("span", "text", one.flat));
  if (open) to.append(element("span", "chip", STATES[open.state]));
  line.append(to);
  return line;
}

/** The open changes: to approve, or to wait for. */
function waiting() {
  const made = element("section", "card");
  made.id = "waiting";
  made.append(element("h2", "", "待审批和待生效"));
  if (!found.open.length) made.append(element("p", "small", "没有等待处理的修改。"));
  made.append(...found.open.map((change) => changed(change, again)));
  return made;
}
const again = () => open(page, "");

/** One change: who, what, why, when, and what this user may do about it. */
export function changed(change, then) {
  const made = element("article", "change"), head = element("div", "keep"), acts = element("div", "keep");
  made.setAttribute("aria-label", `第${change.id}号修改`);
  head.append(element("strong", "", change.title), element("span", "chip", STATES[change.state]), element("span", "small", `${change.proposer} 提出，${time(change.created_at)}`));
  made.append(head, diff(change.diff), element("p", "small", `原因：${change.why}`));
  if (["proposed", "approved"].includes(change.state)) made.append(element("p", "small", new Date(change.effective_at) > new Date() ? `${time(change.effective_at)}起生效` : "批准后立即生效"));
  const act = (verb, body) => async () => {
    try { await post(`/trainer/answers/changes/${change.id}/${verb}`, body); } finally { await then(); }
  };
  const mine = change.proposer === desk.me.username;
  if (change.state === "proposed" && !mine) acts.append(button("批准", "main", act("approve")), button("退回", "", async () => {
    const why = area("为什么退回");
    if (await ask("退回这份修改", [why], "退回")) await act("reject", { why: why.value })();
  }));
  if (change.state === "proposed" && mine) acts.append(element("span", "small", "等另一位训练师批准。"));
  if (["proposed", "approved"].includes(change.state) && (mine || change.approver === desk.me.username)) acts.append(button("撤回", "", act("withdraw")));
  if (acts.children.length) made.append(acts);
  return made;
}
export function diff(pieces) {
  const made = element("p", "diff"), names = { "-": ["del", "删去"], "+": ["ins", "加上"] };
  for (const [sign, text] of pieces) {
    if (sign === "=") { made.append(text); continue; }
    const piece = element(names[sign][0], "", text);
    piece.title = names[sign][1];
    made.append(piece);
  }
  return made;
}
/** What happened to an entry before, newest first. */
export async function history(name) {
  const changes = await call(`/trainer/answers/changes?name=${encodeURIComponent(name)}`);
  const made = element("section", "card");
  made.append(element("h2", "", "修改记录"));
  if (!changes.length) made.append(element("p", "small", "还没有改过。"));
  for (const change of changes) {
    const lines = element("ul", "small history");
    lines.append(...change.events.map((event) => element("li", "", `${time(event.at)} ${event.actor === "system" ? "系统" : event.actor} ${ACTIONS[event.action]}${event.note ? `：${event.note}` : ""}`)));
    const one = changed(change, () => go("answers", `${change.kind}/${encodeURIComponent(name)}`));
    one.append(lines);
    made.append(one);
  }
  return made;
}
