// Several tickets at once, and one in two: always a preview first, and thirty seconds to take it back.
import { $, area, ask, choice, element, field, labelled, notice } from "./page.js";
import { call, desk, post } from "./api.js";
import { queue, refresh, toggle, unpick } from "./queue.js";
import { again } from "./ticket.js";

const UNDO_SECONDS = 30;
function told(effects) {
  const list = element("ul", "effects");
  list.append(...effects.map((one) => element("li", one.refused ? "late" : "", `${one.number || one.id}：${one.refused || one.change}`)));
  return list;
}
function named(effects) {
  const words = { ...desk.me.teams, ...desk.me.categories };
  return effects.map((one) => ({ ...one, change: one.change.replace(/[a-z_]+$/, (key) => words[key] || key) }));
}
async function changed(done) {
  const refused = done.effects.filter((one) => one.refused), count = done.effects.length - refused.length;
  unpick();
  await Promise.all([refresh(), again()]);
  const said = `已改${count}张${refused.length ? `，${refused.length}张没有改：${refused[0].refused}` : ""}。`;
  if (done.undo) notice(said, "撤销", () => undo(done.undo), UNDO_SECONDS); else notice(said);
}
async function undo(token) {
  const done = await post(`/undo/${token}`);
  const refused = done.effects.filter((one) => one.refused);
  notice(refused.length ? `有${refused.length}张之后又改过，没有撤销。` : "已撤销。");
  await Promise.all([refresh(), again()]);
}
async function run(action, ids, values) {
  const preview = await post("/bulk", { ids, action, arguments: values, preview: true });
  if (await ask("将要这样改", [told(named(preview.effects))], "确认")) await changed(await post("/bulk", { ids, action, arguments: values }));
}
const ids = () => [...queue.picked];
async function transferAll() {
  const team = choice(desk.me.teams, "班组");
  if (await ask(`转派${queue.picked.size}张工单`, [labelled("班组", team)], "预览")) await run("transfer", ids(), { team: team.value, note: "批量转派" });
}
async function categoryAll() {
  const category = choice(desk.me.categories, "类别");
  if (await ask(`更正${queue.picked.size}张工单的类别`, [labelled("类别", category)], "预览")) await run("category", ids(), { category: category.value });
}
async function priorityAll() {
  const priority = choice(desk.me.priorities, "优先级"), why = field("text", "原因");
  if (await ask(`更正${queue.picked.size}张工单的优先级`, [labelled("优先级", priority), labelled("原因", why)], "预览")) await run("priority", ids(), { priority: priority.value, reason: why.value });
}
async function mergeAll() {
  if (queue.picked.size < 2) return notice("请至少选两张工单。");
  const numbers = Object.fromEntries(queue.items.filter((one) => queue.picked.has(one.id)).map((one) => [one.id, `${one.number} ${one.summary}`]));
  const into = choice(numbers, "留下的工单");
  if (await ask("合并工单", [labelled("留下的工单", into)], "预览")) await run("merge", ids().filter((id) => id !== Number(into.value)), { into: Number(into.value) });
}
async function byNumber(title, agree) {
  const number = field("text", "另一张工单的单号");
  if (!await ask(title, [number], agree)) return null;
  const found = (await call(`/tickets?${new URLSearchParams({ q: number.value.trim(), sort: "newest" })}`)).items.find((one) => one.number === number.value.trim().toUpperCase());
  if (!found) notice("没有这张工单。");
  return found;
}
export async function merge() {
  const into = await byNumber("合并到另一张工单", "预览");
  if (into) await run("merge", [desk.ticket.id], { into: into.id });
}
export async function link() {
  const other = await byNumber("关联另一张工单", "关联");
  if (other) { await post(`/tickets/${desk.ticket.id}/link`, { other: other.id }); await again(); }
}
export async function split() {
  const text = area("拆出来的事项"), category = choice(desk.me.categories, "类别", desk.ticket.category);
  if (!await ask("拆分出一张新工单", [text, labelled("类别", category)], "预览")) return;
  const effects = [{ number: desk.ticket.number, change: `保留，另立一张“${desk.me.categories[category.value]}”工单：${text.value}` }];
  if (await ask("将要这样拆分", [told(effects)], "确认")) await changed(await post(`/tickets/${desk.ticket.id}/split`, { text: text.value, category: category.value, version: desk.ticket.version }));
}
export const pick = () => desk.ticket && toggle(desk.ticket.id);
export function startBulk() {
  $("bulk-transfer").onclick = transferAll;
  $("bulk-category").onclick = categoryAll;
  $("bulk-priority").onclick = priorityAll;
  $("bulk-merge").onclick = mergeAll;
  $("bulk-none").onclick = unpick;
}
