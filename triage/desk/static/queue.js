// The list of tickets: views, filters, search, saved views, sort; pages follow one another by cursor, without an end.
import { $, ask, button, element, field, notice, option, span } from "./page.js";
import { call, desk, leads, post, works } from "./api.js";
import { STATUS } from "./words.js";
import { incidents } from "./incidents.js";

export const VIEWS = {
  open: ["待办", () => ({ status: "open" })],
  mine: ["我的", () => ({ status: "open", assignee: desk.me.username })],
  team: ["班组", () => ({ status: "open", ...(desk.me.team ? { team: desk.me.team } : {}) })],
  unassigned: ["待领", () => ({ view: "unassigned" })],
  risk: ["临期", () => ({ view: "at_risk" })],
  incidents: ["事件", () => ({})],
  undelivered: ["未送达", () => ({ view: "undelivered" })],
  done: ["已办结", () => ({ status: "resolved,closed" })],
};
export const queue = { items: [], picked: new Set(), view: "open", incident: null, open: null };
const FILTERS = ["category", "priority", "team"];
let cursor = null, saved = [], asked = 0;

const kept = (name) => localStorage.getItem(`desk-${desk.me.username}-${name}`);
const keep = (name, value) => localStorage.setItem(`desk-${desk.me.username}-${name}`, value);
const chosen = () => Object.fromEntries([...FILTERS.map((name) => [name, $(`filter-${name}`).value]), ["q", $("search").value.trim()], ["sort", $("sort").value]].filter(([, value]) => value));
/** What the list shows, as `/api/tickets` and the exports take it. */
export function wanted() {
  return { ...(queue.incident ? { incident: queue.incident } : VIEWS[queue.view][1]()), ...chosen() };
}
function due(ticket) {
  const left = (new Date(ticket.due_at) - Date.now()) / 1000;
  return element("span", `due ${left < 0 ? "late" : left < 1800 ? "soon" : ""}`, `${left < 0 ? "超时" : "剩"}${span(left)}`);
}
function row(ticket) {
  const made = element("li", ticket.id === desk.ticket?.id ? "picked" : ""), pick = element("input"), open = button("", "open", () => queue.open(ticket.id));
  made.dataset.id = ticket.id;
  Object.assign(pick, { type: "checkbox", checked: queue.picked.has(ticket.id) });
  pick.setAttribute("aria-label", `选中 ${ticket.number}`);
  pick.onchange = () => toggle(ticket.id, pick.checked);
  const first = element("span", "line"), last = element("span", "line"), done = ["resolved", "closed"].includes(ticket.status);
  first.append(element("span", `p ${ticket.priority}`, `${ticket.priority} ${desk.me.priorities[ticket.priority]}`), element("span", "", desk.me.categories[ticket.category] || ticket.category),
    done ? element("span", "", STATUS[ticket.status]) : due(ticket));
  last.append(element("span", "", ticket.number), element("span", "", ticket.assignee && !done ? `${STATUS[ticket.status]} · ${ticket.assignee}` : STATUS[ticket.status]));
  if (ticket.urged) last.append(element("span", "P2", `催办${ticket.urged}次`));
  open.append(first, element("span", "text", ticket.summary), last);
  if (ticket.id === desk.ticket?.id) open.setAttribute("aria-current", "true");
  made.append(pick, open);
  return made;
}
export function toggle(id, on = !queue.picked.has(id)) {
  if (on) queue.picked.add(id); else queue.picked.delete(id);
  const pick = $("list").querySelector(`[data-id="${id}"] input`);
  if (pick) pick.checked = on;
  $("bulk").hidden = queue.picked.size === 0;
  $("bulk-count").textContent = `已选${queue.picked.size}张`;
}
export function unpick() { for (const id of [...queue.picked]) toggle(id, false); }
function draw() {
  const focused = document.activeElement?.closest?.("#list li")?.dataset.id, top = $("list").scrollTop;
  $("list").replaceChildren(...queue.items.map(row));
  $("list").scrollTop = top;
  if (focused) $("list").querySelector(`[data-id="${focused}"] .open`)?.focus();
  $("more").hidden = !cursor;
  $("empty").hidden = queue.items.length > 0;
  $("empty").textContent = chosen().q || FILTERS.some((name) => chosen()[name]) ? "没有符合条件的工单。" : "没有工单，休息一下。";
}
async function page(after, limit) {
  return call(`/tickets?${new URLSearchParams({ ...wanted(), limit, ...(after ? { cursor: after } : {}) })}`, { quiet: true });
}
/** Read again as many as are shown. */
export async function refresh() {
  const turn = ++asked;
  if (queue.view === "incidents" && !queue.incident) { $("more").hidden = $("empty").hidden = true; return incidents(queue, choose); }
  try {
    const items = [];
    let after = null, found, target = Math.max(50, queue.items.length);
    do {
      found = await page(after, Math.min(100, target - items.length));
      if (turn !== asked) return;
      items.push(...found.items);
      after = found.next_cursor;
    } while (after && items.length < target);
    [queue.items, cursor] = [items, after];
    const waiting = ["new", "reopened"].reduce((sum, name) => sum + (found.counts[name] || 0), 0);
    $("count-waiting").textContent = waiting;
    document.title = `(${waiting}) 坐席工作台 · 电桥`;
    $("broken").hidden = true;
    draw();
  } catch (error) {
    if (turn !== asked) return;
    $("broken").hidden = false;
    $("broken-why").textContent = `没能读到工单：${error.message}`;
  } finally { $("loading").hidden = true; }
}
async function more() {
  $("more").disabled = true;
  const turn = asked;
  try {
    const found = await page(cursor, 50);
    if (turn !== asked) return;
    queue.items.push(...found.items);
    cursor = found.next_cursor;
    draw();
  } catch (error) { notice(error.message); } finally { $("more").disabled = false; }
}
/** Show a view; `incident` narrows it to the tickets under one. */
export function choose(name, incident = null) {
  Object.assign(queue, { view: name, incident, items: [] });
  cursor = null;
  unpick();
  keep("view", name);
  for (const each of Object.keys(VIEWS)) $(`view-${each}`).setAttribute("aria-pressed", each === name);
  $("sort").value = kept(`sort-${name}`) || "order";
  $("loading").hidden = false;
  $("list").replaceChildren();
  return refresh();
}
export function mark() {
  for (const made of $("list").children) {
    const is = Number(made.dataset.id) === desk.ticket?.id;
    made.classList.toggle("picked", is);
    if (is) made.querySelector(".open")?.setAttribute("aria-current", "true"); else made.querySelector(".open")?.removeAttribute("aria-current");
  }
}
export function move(step) {
  const at = queue.items.findIndex((item) => item.id === desk.ticket?.id), next = queue.items[Math.max(0, Math.min(queue.items.length - 1, at + step))];
  if (next) queue.open(next.id).then(() => $("list").querySelector(".picked")?.scrollIntoView({ block: "nearest" }));
}
export async function claimNext() {
  const found = await post("/tickets/claim");
  if (!found) return notice("没有待领的工单。");
  await queue.open(found.id);
  await refresh();
  $("draft").focus();
}
async function readSaved() {
  saved = (await call("/views")).items;
  $("saved").replaceChildren(option("", "已存的视图"), ...saved.map((view) => option(view.id, view.name)));
  $("drop-view").hidden = true;
}
async function saveView() {
  const name = field("text", "视图名称");
  name.maxLength = 64;
  if (!await ask("保存当前的筛选和排序", [name], "保存")) return;
  await post("/views", { name: name.value, query: { ...chosen(), tab: queue.view } });
  await readSaved();
  $("saved").value = saved.find((view) => view.name === name.value)?.id ?? "";
  $("drop-view").hidden = !$("saved").value;
}
function useSaved() {
  const view = saved.find((one) => String(one.id) === $("saved").value);
  $("drop-view").hidden = !view;
  if (!view) return;
  for (const name of FILTERS) $(`filter-${name}`).value = view.query[name] || "";
  $("search").value = view.query.q || "";
  keep(`sort-${view.query.tab}`, view.query.sort || "order");
  choose(view.query.tab in VIEWS ? view.query.tab : "open");
}
export async function startQueue(open) {
  queue.open = open;
  $("views").replaceChildren(...Object.entries(VIEWS).map(([name, [title]], index) => {
    const made = button(title, "", () => choose(name));
    made.id = `view-${name}`;
    made.title = `按 ${index + 1}`;
    return made;
  }));
  for (const [name, title, names] of [["category", "类别", desk.me.categories], ["priority", "优先级", desk.me.priorities], ["team", "班组", desk.me.teams]]) {
    $(`filter-${name}`).replaceChildren(option("", title), ...Object.entries(names).map(([key, text]) => option(key, name === "priority" ? `${key} ${text}` : text)));
    $(`filter-${name}`).onchange = refresh;
  }
  $("sort").onchange = () => { keep(`sort-${queue.view}`, $("sort").value); refresh(); };
  let later;
  $("search").oninput = () => { clearTimeout(later); later = setTimeout(refresh, 250); };
  $("more").onclick = more;
  $("again").onclick = refresh;
  $("next").onclick = claimNext;
  $("next").hidden = !works();
  for (const format of ["csv", "xlsx"]) {
    $(`export-${format}`).hidden = !leads();
    $(`export-${format}`).onclick = () => { const { sort, incident, ...filter } = wanted(); location.assign(`/api/export.${format}?${new URLSearchParams(filter)}`); };
  }
  if (works()) {
    $("save-view").onclick = saveView;
    $("saved").onchange = useSaved;
    $("drop-view").onclick = async () => { await call(`/views/${$("saved").value}`, { method: "DELETE" }); await readSaved(); };
    await readSaved();
  } else $("view-incidents").hidden = $("keep").hidden = true;
  await choose(kept("view") in VIEWS ? kept("view") : "open");
}
