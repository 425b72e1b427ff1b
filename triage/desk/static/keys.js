// The keyboard: one map for what a key does and for what `?` shows.
import { $, composing, element } from "./page.js";
import { desk, works } from "./api.js";
import { VIEWS, choose, claimNext, move } from "./queue.js";
import * as ticket from "./ticket.js";
import { focusOn, pickPicture, suggest } from "./composer.js";
import { faultCheck } from "./customer.js";
import { link, merge, pick, split } from "./bulk.js";

const shown = (id) => desk.ticket && !$(id).hidden;
const opened = () => desk.ticket && !["resolved", "closed"].includes(desk.ticket.status) && works();
const KEYS = [
  ["j", "下一张", () => move(1)], ["k", "上一张", () => move(-1)], ["c", "领下一单", () => works() && claimNext()],
  ["l", "领这一单", () => shown("claim") && ticket.act("claim")], ["r", "回复", () => shown("composer") && focusOn("reply")], ["n", "备注", () => shown("composer") && focusOn("note")],
  ["e", "办结", () => shown("resolve") && ticket.resolve()], ["o", "重开", () => shown("reopen") && ticket.reopen()], ["t", "转派", () => shown("transfer") && ticket.transfer()],
  ["w", "等现场，再按为到达", () => opened() && ticket.fieldWork()], ["h", "承诺时间", () => opened() && ticket.promise()],
  ["g", "更正类别，再按一键选定", () => opened() && ticket.correctCategory()], ["p", "更正优先级，再按一键选定", () => opened() && ticket.correctPriority()],
  ["s", "相似工单的答复", () => shown("composer") && suggest()], ["u", "发图片", () => shown("composer") && pickPicture()], ["f", "核查故障", () => $("outages") && faultCheck(desk.ticket)],
  ["x", "选中或取消这一张", pick], ["m", "合并", () => opened() && merge()], ["b", "拆分", () => opened() && split()], ["i", "关联", () => opened() && link()],
  ["/", "搜索", () => { $("search").focus(); $("search").select(); }], ["?", "快捷键", help],
];
const MORE = [["1 – 8", "切换视图"], ["Ctrl+Enter", "发送"], ["输入 /", "常用语，可用拼音首字母"], ["Esc", "离开输入框"]];
export function help() {
  $("help-list").replaceChildren(...[...KEYS.map(([key, name]) => [key, name]), ...MORE].flatMap(([key, name]) => { const term = element("dt"); term.append(element("kbd", "", key)); return [term, element("dd", "", name)]; }));
  $("help").showModal();
}
export function startKeys() {
  $("keys").onclick = help;
  document.addEventListener("keydown", (event) => {
    if (composing(event) || !desk.me || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return document.activeElement?.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || /TEXTAREA|SELECT/.test(event.target.tagName) || (event.target.tagName === "INPUT" && event.target.type !== "checkbox")) return;
    const view = Object.keys(VIEWS)[Number(event.key) - 1], found = KEYS.find(([key]) => key === event.key);
    if (!$("desk").classList.contains("tickets")) return;
    if (view && !$(`view-${view}`).hidden) { event.preventDefault(); choose(view); }
    if (found) { event.preventDefault(); found[2](); }
  });
}
