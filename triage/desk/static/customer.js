// The customer beside the ticket: account (masked until revealed), money, outages, bills, other tickets.
import { $, ask, button, element, field, notice, time } from "./page.js";
import { call, desk, post } from "./api.js";
import { ACCOUNT, CHANNELS, CREW, OUTAGES, STATUS } from "./words.js";
import { bars } from "./chart.js";

let shown = null;
/** Read and draw; the ticket may have changed by then. */
export async function customer(ticket, open) {
  shown = ticket.id;
  $("customer").replaceChildren(element("p", "hint", "正在读取客户资料…"));
  try {
    const found = await call(`/tickets/${ticket.id}/customer`, { quiet: true });
    if (shown === ticket.id) draw(ticket, found, open);
  } catch (error) {
    if (shown !== ticket.id) return;
    $("customer").replaceChildren(element("p", "wrong", `没能读到客户资料：${error.message}`), button("再试一次", "quiet", () => customer(ticket, open)));
  }
}
function draw(ticket, found, open) {
  const facts = element("dl"), account = found.records.account, parts = [];
  const add = (name, ...values) => { const cell = element("dd"); cell.append(...values); facts.append(element("dt", "", name), cell); };
  if (found.account_no_masked) {
    const number = element("span", "number", found.account_no_masked);
    number.id = "account";
    add("户号", number, button("显示", "link", () => reveal(ticket, number)));
  } else add("户号", "未核验");
  add("来自", `${CHANNELS[found.channel] || found.channel}，30天内联系${found.contacts_30_days}次`);
  if (account) {
    add("状态", ACCOUNT[account.status] || account.status);
    add(Number(account.arrears) > 0 ? "欠费" : "余额", element("span", Number(account.arrears) > 0 ? "late" : "", `${Number(account.arrears) > 0 ? account.arrears : account.balance}元`));
  }
  parts.push(facts);
  if (found.records.unchecked?.length) parts.push(element("p", "wrong", `没有应答：${found.records.unchecked.join("、")}`));
  if (found.account_no_masked) {
    const outage = element("div");
    outage.id = "outages";
    outage.append(...outages(found.records.outages || []));
    parts.push(outage, button("核查故障 f", "quiet", () => faultCheck(ticket)));
  }
  if (found.records.bills?.length) {
    parts.push(element("h3", "", "近期电费（元）"), bars("近期电费", [...found.records.bills].reverse().map((bill) => ({ label: `${Number(bill.month.slice(5))}月`, values: [Math.round(Number(bill.amount))], strong: !bill.paid })), { height: 96 }));
    const unpaid = found.records.bills.filter((bill) => !bill.paid).map((bill) => `${Number(bill.month.slice(5))}月`);
    parts.push(element("p", "small", unpaid.length ? `${unpaid.join("、")}未缴` : "都已缴清"));
  }
  parts.push(element("h3", "", "其他工单"));
  if (found.tickets.length) {
    const list = element("ul", "plain");
    list.append(...found.tickets.map((one) => { const item = element("li"); item.append(button(`${one.number} ${STATUS[one.status]} · ${desk.me.categories[one.category] || one.category}`, "link", () => open(one.id))); return item; }));
    parts.push(list);
  } else parts.push(element("p", "small", "没有"));
  $("customer").replaceChildren(...parts);
}
function outages(found) {
  if (!found.length) return [element("p", "small", "所在小区目前没有登记的停电")];
  return found.map((one) => element("p", "small late", `${OUTAGES[one.kind] || one.kind}：${one.reason}，${time(one.starts_at)}起${one.ends_at ? `，预计${time(one.ends_at)}恢复` : ""}${one.crew ? `（${CREW[one.crew] || one.crew}）` : ""}`));
}
async function reveal(ticket, number) {
  const why = field("text", "查看原因，会记入审计");
  why.minLength = 2;
  if (!await ask("显示完整户号", [why], "显示")) return;
  number.textContent = (await post(`/tickets/${ticket.id}/reveal`, { reason: why.value })).account_no;
}
export async function faultCheck(ticket) {
  const found = await post(`/tickets/${ticket.id}/fault-check`);
  if (shown !== ticket.id) return;
  $("outages")?.replaceChildren(...outages(found.outages || []), element("p", "small", `${time(found.checked_at)}核查${found.unchecked?.length ? `，没有应答：${found.unchecked.join("、")}` : ""}`));
  notice("已核查。");
}
