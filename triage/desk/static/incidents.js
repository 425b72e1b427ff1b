// 停电事件: many reports of one fault, answered and resolved together.
import { $, area, ask, button, element, notice, time } from "./page.js";
import { call, desk, post } from "./api.js";

export async function incidents(queue, choose) {
  try {
    const items = [];
    let before = null;
    do {
      const found = await call(`/incidents?limit=100${before ? `&before=${before}` : ""}`, { quiet: true });
      items.push(...found.items);
      before = found.next_cursor;
    } while (before);
    if (queue.view !== "incidents" || queue.incident) return;
    $("list").replaceChildren(...items.map((one) => row(one, choose)));
    $("empty").hidden = items.length > 0;
    $("empty").textContent = "现在没有停电事件。";
    $("broken").hidden = true;
  } catch (error) {
    $("broken").hidden = false;
    $("broken-why").textContent = `没能读到事件：${error.message}`;
  } finally { $("loading").hidden = true; }
}
function row(one, choose) {
  const made = element("li", "incident"), open = button("", "open", () => choose("incidents", one.id)), line = element("span", "line"), acts = element("span", "line");
  line.append(element("strong", "", one.number), element("span", "", `${one.reports}户报修`));
  open.append(line, element("span", "text", `${one.transformer || one.feeder || "位置未明"} · ${desk.me.categories[one.category] || one.category}`),
    element("span", "line", one.expected_at ? `预计${time(one.expected_at)}恢复` : `最近报修${time(one.last_report_at)}`));
  acts.append(button("群发", "quiet", () => reply(one)), button("一起办结", "quiet", () => resolve(one, choose)));
  const all = element("div", "grow");
  all.append(open, acts);
  made.append(all);
  return made;
}
async function reply(one) {
  const text = area("写给这次事件的每一位客户"), key = crypto.randomUUID?.() || `${Date.now()}`;
  if (!await ask(`群发给${one.reports}户`, [text], "发送")) return;
  const done = await post(`/incidents/${one.id}/reply`, { text: text.value, key });
  notice(`已告知${done.told}位客户。`);
}
async function resolve(one, choose) {
  const text = area("处理结果，每位客户都会看到");
  if (!await ask(`办结事件下的全部工单（${one.reports}户）`, [text], "全部办结")) return;
  const done = await post(`/incidents/${one.id}/resolve`, { resolution: text.value });
  notice(`已告知${done.told}位客户，并询问是否来电。`);
  choose("incidents");
}
