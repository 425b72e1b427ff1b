// 成效: how often the bot does not understand, day by day and meaning by meaning, before and after each promotion.
import { choice, element, labelled, table, time } from "../page.js";
import { call } from "../api.js";
import { broken } from "./shell.js";
import { days, percent } from "./pictures.js";

let page, span = "30";
export async function open(section) {
  page = section;
  await read();
}
async function read() {
  let found;
  try { found = await call(`/trainer/effect?days=${span}`, { quiet: true }); } catch (error) { page.replaceChildren(broken(`没能读到成效：${error.message}`, read)); return; }
  if (!page.isConnected) return;
  const wanted = choice({ 7: "七天", 30: "三十天", 90: "九十天" }, "看多久", span), head = element("div", "head");
  wanted.onchange = () => { span = wanted.value; read(); };
  head.append(element("h1", "", "成效"), element("span", "grow"), labelled("看多久", wanted));
  const word = (name) => found.names[name] || name, turns = found.days.reduce((sum, one) => sum + one.turns, 0), misses = found.days.reduce((sum, one) => sum + one.misses, 0);
  const marks = found.promotions.map((one) => ({ day: one.day, part: one.part, said: `${time(one.at)} ${one.version} 上线` }));
  const chart = element("section", "card");
  chart.append(element("h2", "", "每天没听懂的比例"), turns ? days(found.days, marks) : element("p", "hint", "这段时间还没有客户消息。"), element("p", "small", "没听懂：机器人请客户换个说法，或把握很低，或读的和训练师定的不一样。点按钮不算。竖线是上线。"));
  const verdict = element("p", "verdict", turns ? said(found) : "还没有数据：有客户在网页、微信或 Telegram 上说话后，这里就会有数字。");
  const parts = [head, verdict, chart];
  for (const one of found.promotions) parts.push(promotion(one, word));
  if (turns) { const all = element("section", "card"); all.append(element("h2", "", `这段时间没听懂最多的（共${misses}句）`), table("没听懂最多的意图", ["意图", "消息", "没听懂", "请换说法", "把握低", "读错", "比例"], found.intents.filter((row) => row.misses).slice(0, 30).map((row) => [word(row.intent), row.turns, row.misses, row.fallback, row.low, row.corrected, percent(row.share.value)]))); parts.push(all); }
  page.replaceChildren(...parts);
}
function said(found) {
  const [last] = found.promotions;
  if (!last || !last.before.turns || !last.after.turns) return `这段时间${found.total.turns}句里有${found.total.misses}句没听懂（${percent(found.total.share.value)}）。`;
  const apart = last.before.share.low > last.after.share.high || last.after.share.low > last.before.share.high, change = last.after.share.value - last.before.share.value;
  return `${last.version}上线后，没听懂的从${percent(last.before.share.value)}${change > 0 ? "升" : "降"}到${percent(last.after.share.value)}${apart ? "" : "，消息还少，差别可能是偶然"}。`;
}
function promotion(one, word) {
  const card = element("details", "card"), rows = one.intents.filter((row) => row.before.misses || row.after.misses).slice(0, 30);
  card.append(element("summary", "", `${time(one.at)} ${one.version}上线：前${one.before.turns}句里${one.before.misses}句没听懂，后${one.after.turns}句里${one.after.misses}句`),
    rows.length ? table("每个意图没听懂的消息", ["意图", "上线前没听懂", "比例", "上线后没听懂", "比例"], rows.map((row) => [word(row.intent), `${row.before.misses}/${row.before.turns}`, percent(row.before.share.value), `${row.after.misses}/${row.after.turns}`, percent(row.after.share.value)])) : element("p", "hint", "上线前后都没有没听懂的消息。"),
    element("p", "small", "各看上线前后一周，到相邻的一次上线为止。"));
  return card;
}
