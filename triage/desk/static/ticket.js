// One ticket: transcript, why it stands where it stands, what may be done with it.
import { $, area, ask, button, choice, element, field, labelled, notice, span, time } from "./page.js";
import { call, desk, post, works } from "./api.js";
import { ATTACHMENTS, CHANNELS, CLOCKS, DELIVERY, EVENTS, HANDOFFS, SLOTS, SPEAKERS, STATES, STATUS } from "./words.js";
import { customer } from "./customer.js";
import { mark, refresh } from "./queue.js";
import * as composer from "./composer.js";
import * as presence from "./presence.js";

const listeners = [];
let opening = null, seenLater;
export const onOpen = (act) => listeners.push(act);
const done = (ticket) => ["resolved", "closed"].includes(ticket.status);

export async function open(id) {
  const before = desk.ticket;
  opening = id;
  if (before?.id !== id) {
    composer.keepDraft();
    if (before) presence.leave(before.id);
    $("desk").classList.add("open");
    $("nothing").hidden = false;
    $("nothing").textContent = "正在打开…";
  }
  let ticket;
  try { ticket = await call(`/tickets/${id}`, { quiet: before?.id === id }); } catch (error) {
    if (opening === id && before?.id !== id) { $("nothing").textContent = `没能打开工单：${error.message}`; $("ticket").hidden = true; }
    return;
  }
  if (opening !== id) return;
  const other = desk.ticket?.id !== id;
  desk.ticket = ticket;
  $("nothing").hidden = true;
  $("ticket").hidden = $("facts").hidden = false;
  draw(ticket, other);
  mark();
  if (other) {
    composer.start(ticket);
    if (works()) customer(ticket, open);
    for (const act of listeners) act(ticket);
  } else look(ticket);
}
export const again = () => desk.ticket && open(desk.ticket.id);
/** A message counts as seen once it stood on a visible page for a second: the send guard asks from there. */
function look(ticket) {
  clearTimeout(seenLater);
  seenLater = setTimeout(() => { if (!document.hidden && desk.ticket?.id === ticket.id) composer.saw(ticket.transcript.at(-1)?.seq); }, 1000);
}
function draw(ticket, other) {
  const mine = ticket.assignee === desk.me.username, ended = done(ticket), can = works();
  $("number").textContent = ticket.number;
  $("status").textContent = ticket.assignee ? `${STATUS[ticket.status]} · ${ticket.assignee}` : STATUS[ticket.status];
  $("claim").hidden = Boolean(ticket.assignee) || ended || !can;
  $("transfer").hidden = ended || !can;
  $("resolve").hidden = !mine || ended;
  $("reopen").hidden = !ended || !can;
  $("others").hidden = ended || !can;
  $("composer").hidden = !can;
  presence.show(ticket.viewers);
  const log = $("log"), follow = other || log.scrollHeight - log.scrollTop - log.clientHeight < 160;
  const notes = ticket.events.filter((event) => event.kind === "note").map((event) => ({ from: "note", text: event.detail.text, at: event.at, actor: event.actor }));
  const lines = [...ticket.transcript, ...notes].sort((a, b) => new Date(a.at) - new Date(b.at));
  const heard = other ? [] : [...log.querySelectorAll("audio")].filter((one) => one.currentTime > 0 || !one.paused);
  log.replaceChildren(...lines.map(line));
  // a voice somebody listens to goes on: its player stays when the conversation is drawn anew
  for (const one of heard) log.querySelector(`audio[data-seq="${one.dataset.seq}"]`)?.replaceWith(one);
  if (follow) log.scrollTop = log.scrollHeight;
  brief(ticket);
  why(ticket);
}
function line(message) {
  const made = element("div", `row ${message.from}`);
  if (message.from === "note") {
    made.append(element("small", "", `备注 ${message.actor} ${time(message.at)}，客户看不到`), element("div", "bubble", message.text));
    return made;
  }
  made.append(element("small", "", `${SPEAKERS[message.from]} ${time(message.at)}`), element("div", "bubble", message.text));
  for (const one of message.attachments) made.append(attachment(one, message.seq));
  if (message.original) made.append(element("small", "", `客户改过，原文：${message.original}`));
  const failed = message.undelivered || ["failed", "expired"].includes(message.delivery);
  if (failed) {
    const told = element("small", "undelivered", `${DELIVERY[message.delivery] || "没有送达"}：${message.undelivered || "原因不明"}`);
    if (works()) told.append(button("再发一次", "link", () => resend(message)));
    made.append(told);
  }
  else if (message.doubt) made.append(element("small", "", message.doubt));
  else if (message.from === "agent" && message.delivery) made.append(element("small", "", DELIVERY[message.delivery] || message.delivery));
  return made;
}
/** An image is shown, a voice played, another file is a link, a place is told; what did not come says why. */
function attachment(one, seq) {
  if (one.latitude !== undefined) return element("p", "small", `位置：北纬${one.latitude.toFixed(5)}，东经${one.longitude.toFixed(5)}`);
  const name = one.name || ATTACHMENTS[one.kind] || "附件";
  if (one.note) return element("p", "small", `${name}没有收到：${one.note}`);
  if (!one.url) return element("p", "small", `${name}正在从客户的渠道取回…`);
  if (one.mime === "audio/ogg") { const voice = element("audio"); Object.assign(voice, { src: one.url, controls: true, preload: "none", title: name }); voice.dataset.seq = seq; return voice; }
  const link = element("a", "attachment", one.kind === "image" ? undefined : `${name}，${Math.ceil(one.size / 1024)} KB${one.kind === "voice" ? "，下载后播放" : ""}`);
  Object.assign(link, { href: one.url, target: "_blank", rel: "noopener" });
  if (one.kind === "image") { const picture = element("img"); Object.assign(picture, { src: one.url, alt: name, loading: "lazy" }); link.append(picture); }
  return link;
}
async function resend(message) {
  await post(`/undelivered/${desk.ticket.conversation_id}/${message.seq}/retry`);
  notice("已重新发送。");
  await again();
}
function pairs(list, found) {
  list.replaceChildren(...found.flatMap(([name, value, className]) => [element("dt", "", name), element("dd", className || "", value)]));
}
function brief(ticket) {
  const slots = Object.entries(ticket.brief.slots || {}).filter(([name]) => SLOTS[name] && name !== "account_no");
  pairs($("brief"), [
    ["转人工", ticket.brief.reason ? HANDOFFS[ticket.brief.reason] || ticket.brief.reason : "客户投诉立单"],
    ...(ticket.brief.tries ? [["没听懂", `${ticket.brief.tries}次`]] : []),
    ...slots.map(([name, value]) => [SLOTS[name] || name, typeof value === "string" ? desk.me.intents[value] || value.split("|").at(-1) : JSON.stringify(value)]),
  ]);
}
/** What the reasons say under a heading: "关键词：停电、欠费" → ["停电、欠费"]. */
function said(reasons, heading) {
  return reasons.filter((reason) => reason.startsWith(`${heading}：`)).map((reason) => reason.slice(heading.length + 1));
}
function why(ticket) {
  pairs($("summary"), [
    ["类别", `${desk.me.categories[ticket.category] || ticket.category}（把握${Math.round(ticket.category_confidence * 100)}%）`],
    ...said(ticket.priority_reasons, "分类把握不大，请核对").map((one) => ["请核对", one, "late"]),
    ...said(ticket.priority_reasons, "关键词").map((one) => ["关键词", one]),
    ["优先级", `${ticket.priority} ${desk.me.priorities[ticket.priority]}${ticket.priority_locked ? "，已锁定" : ""}`],
    ["班组", desk.me.teams[ticket.team] || ticket.team], ["渠道", CHANNELS[ticket.channel] || ticket.channel], ["模型", ticket.model],
    ...(ticket.reply_until ? [["可回复", new Date(ticket.reply_until) > Date.now() ? `还剩${span((new Date(ticket.reply_until) - Date.now()) / 1000)}，${ticket.replies_left ? `最多再发${ticket.replies_left}条` : "条数已用完，客户再来消息后才能送达"}` : "已过时限，客户再来消息后才能送达"]] : []),
  ]);
  $("read").textContent = ticket.text;
  $("reasons").replaceChildren(...ticket.priority_reasons.map((reason) => element("li", "", reason)));
  $("points").replaceChildren(...ticket.points_reasons.map((one) => element("li", "", `${one.reason} ${one.points > 0 ? "+" : ""}${one.points}`)), element("li", "", `合计 ${ticket.points}`));
  pairs($("clocks"), ticket.clocks.map((clock) => [CLOCKS[clock.kind] || clock.kind, clock.met_at ? `${time(clock.met_at)}完成` : clock.paused ? "暂停（等客户）" : `${clock.breached ? "超时" : "剩"}${span(clock.left_seconds)}（${time(clock.due_at)}）`, clock.breached ? "late" : ""]));
  $("links").replaceChildren(...ticket.links.map((one) => element("li", "", `${one.number} ${STATUS[one.status]}`)));
  $("events").replaceChildren(...ticket.events.map((event) => {
    const said = event.detail.text || event.detail.note || event.detail.reason || event.detail.resolution;
    return element("li", "", `${time(event.at)} ${event.actor} ${EVENTS[event.kind] || event.kind}${said ? `：${said}` : ""}`);
  }));
}
/** One change of the ticket at the version shown, true when it was made; when others were quicker, what they did is told. */
export async function act(verb, body = {}) {
  const id = desk.ticket.id;
  try { await post(`/tickets/${id}/${verb}`, { ...body, version: desk.ticket.version }, { quiet: true }); } catch (error) {
    const changes = (error.found?.changes || []).map((one) => `${one.actor} ${EVENTS[one.kind] || one.kind}`).join("，");
    notice(changes ? `${error.message}：${changes}。请看过后再试。` : error.message);
    await open(id);
    return false;
  }
  await open(id);
  await refresh();
  return true;
}
export async function resolve() {
  const text = area("处理结果，客户会看到");
  if (await ask("办结工单", [text], "办结")) await act("resolve", { resolution: text.value });
}
export async function reopen() {
  const text = area("重开的原因");
  if (await ask("重开工单", [text], "重开")) await act("reopen", { reason: text.value });
}
export async function transfer() {
  const { items } = await call("/colleagues");
  const names = Object.fromEntries(items.filter((one) => one.username !== desk.ticket.assignee).map((one) => [one.username, `${one.username}（${[desk.me.teams[one.team], STATES[one.state]].filter(Boolean).join("，")}）`]));
  const teams = choice({ ...desk.me.teams }, "班组", desk.ticket.team), colleague = choice({ "": "不指定", ...names }, "或指定坐席"), text = area("说明", false);
  if (await ask("转派", [labelled("班组", teams), labelled("或指定坐席", colleague), text], "转派"))
    await act("transfer", colleague.value ? { assignee: colleague.value, note: text.value } : { team: teams.value, note: text.value });
}
/** 等现场, or when the crew is there: 到达现场. */
export async function fieldWork() {
  if (desk.ticket.status === "waiting_field") return act("arrived");
  const text = area("现场要做什么");
  if (await ask("等现场处理", [text], "等现场")) await act("wait-field", { reason: text.value });
}
export async function promise() {
  const text = field("text", "承诺的内容"), due = field("datetime-local", "最晚时间");
  if (await ask("向客户承诺时间", [labelled("内容", text), labelled("北京时间", due)], "承诺")) await act("promise", { text: text.value, due: `${due.value}:00+08:00` });
}
/** Correction in two keys: the palette opens with one, the second chooses. */
function palette(title, names, current, choose, fields = []) {
  const list = element("div", "palette"), keys = "123456789abcdefghijklmnopqrstuvwxyz", places = Object.keys(names);
  places.forEach((key, index) => {
    const made = element("button", key === current ? "main" : "quiet");
    made.type = "button";
    made.append(element("kbd", "", keys[index]), ` ${names[key]}`);
    made.onclick = () => { $("ask").close(""); choose(key); };
    list.append(made);
  });
  list.onkeydown = (event) => {
    const key = places[keys.indexOf(event.key)];
    if (key !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); $("ask").close(""); choose(key); }
  };
  ask(title, [list, ...fields], "关闭");
  list.querySelector("button")?.focus();
}
export function correctCategory() {
  palette("更正类别（会进入训练师的复核）", desk.me.categories, desk.ticket.category, (category) => act("category", { category }));
}
export function correctPriority() {
  const why = field("text", "原因"), lock = element("input");
  why.value = "坐席更正";
  lock.type = "checkbox";
  const names = Object.fromEntries(Object.entries(desk.me.priorities).map(([key, name]) => [key, `${key} ${name}`]));
  palette("更正优先级", names, desk.ticket.priority, (priority) => act("priority", { priority, reason: why.value || "坐席更正", lock: lock.checked }), [labelled("原因", why), labelled("锁定，不再自动升降", lock)]);
}
