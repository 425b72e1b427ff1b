// The supervisor's wall: now in figures, the last days in drawn charts.
import { $, ask, button, choice, element, labelled, notice, span, table, time } from "./page.js";
import { call, desk, post } from "./api.js";
import { CLOCKS, STATES } from "./words.js";
import { bars } from "./chart.js";

function figure(name, value, late) {
  const made = element("div", "figure");
  made.append(element("span", "small", name), element("strong", late ? "late" : "", value));
  return made;
}
function card(title, ...parts) {
  const made = element("section", "card");
  made.append(element("h2", "", title), ...parts);
  return made;
}
/** What an agent holds, to be given to a team or a colleague. */
async function hands(username) {
  const [{ items }, colleagues] = await Promise.all([call(`/tickets?${new URLSearchParams({ status: "open", assignee: username, limit: 100 })}`), call("/colleagues")]);
  const boxes = items.map((one) => { const box = element("input"); Object.assign(box, { type: "checkbox", checked: true, value: one.id }); const made = element("label", "tick"); made.append(box, ` ${one.priority} ${one.number} ${one.summary}`); return made; });
  const names = Object.fromEntries(colleagues.items.filter((one) => one.username !== username).map((one) => [`@${one.username}`, `${one.username}（${STATES[one.state]}）`]));
  const to = choice({ ...Object.fromEntries(Object.entries(desk.me.teams).map(([key, name]) => [key, `${name}（回到队列）`])), ...names }, "改派给");
  if (!await ask(`${username} 的${items.length}张工单`, [...boxes, labelled("改派给", to)], "改派")) return;
  const target = to.value.startsWith("@") ? { assignee: to.value.slice(1) } : { team: to.value };
  const chosen = boxes.map((one) => one.querySelector("input")).filter((one) => one.checked), refused = [];
  for (const box of chosen) await post(`/tickets/${box.value}/transfer`, { ...target, note: "班长改派" }, { quiet: true }).catch((error) => refused.push(error.message));
  notice(refused.length ? `改派了${chosen.length - refused.length}张，${refused.length}张没有改：${refused[0]}` : `改派了${chosen.length}张。`);
  await wall();
}
export async function wall() {
  if (!$("wall").children.length) $("wall").replaceChildren(element("p", "hint", "正在读取…"));
  try {
    const [now, past] = await Promise.all([call("/wall", { quiet: true }), call("/charts?days=7", { quiet: true })]);
    draw(now, past);
  } catch (error) { $("wall").replaceChildren(element("p", "wrong", `没能读到看板：${error.message}`)); }
}
function draw(now, past) {
  const figures = element("div", "figures");
  figures.append(figure("待领", now.waiting), figure("最久等待", now.waiting ? span(now.longest_wait_seconds) : "—"), figure("未结", now.open),
    figure("30分钟内到期", now.at_risk, now.at_risk > 0), figure("已超时", now.breached, now.breached > 0), figure("在线坐席", now.online));
  const teams = table("各班组", ["班组", "待领", "最久等待", "未结", "临期", "超时", "在线", "在手/容量"], Object.values(now.teams).map((one) => [one.name, one.waiting, one.waiting ? span(one.longest_wait_seconds) : "—", one.open, one.at_risk, one.breached, one.online, `${one.load}/${one.capacity}`]));
  const agents = table("坐席", ["坐席", "状态", "在手/容量", "操作"], now.agents.map((one) => [one.username, STATES[one.state] || one.state, `${one.load}/${one.capacity}`, one.load ? button("看工单、改派", "link", () => hands(one.username)) : "—"]));
  const kept = Object.entries(past.sla).filter(([, one]) => one.met).map(([kind, one]) => ({ label: CLOCKS[kind] || kind, values: [Math.round(100 * one.in_time / one.met)] }));
  const wide = { width: 420, height: 150 };
  const charts = element("div", "charts");
  charts.append(
    card("七天：开单与办结", past.days.length ? bars("开单与办结", past.days.map((one) => ({ label: one.day.slice(5), values: [one.opened, one.resolved] })), { ...wide, names: ["开单", "办结"] }) : element("p", "hint", "七天内没有工单。"), element("p", "small key", "深色开单，浅色办结")),
    card("七天：时限达成（%）", kept.length ? bars("时限达成", kept, wide) : element("p", "hint", "七天内没有走完的时限。")),
    card("每小时来单（日均）", bars("每小时来单", past.staffing.map((one) => ({ label: `${one.hour}时`, values: [one.arrivals] })), wide)),
    card("每小时需要的坐席", bars("需要的坐席", past.staffing.map((one) => ({ label: `${one.hour}时`, values: [one.agents_needed] })), wide), element("p", "small", `按来单量乘办理时长中位数${past.median_handling_hours}小时计算`)),
  );
  $("wall").replaceChildren(element("h1", "", `看板 ${time(now.at)}`), figures, teams, agents, charts);
}
