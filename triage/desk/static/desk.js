// The agents' desk: lists and tickets are read from the API whenever the live stream says that something changed.
const $ = (id) => document.getElementById(id);
const STATUS = { new: "待领", reopened: "重开", assigned: "处理中", waiting_customer: "等客户", waiting_field: "等现场", resolved: "已办结", closed: "已关闭" };
const EVENTS = { opened: "开单", claimed: "领单", reply: "回复", note: "备注", transferred: "转派", resolved: "办结", reopened: "重开", priority: "改优先级", category: "改类别", urged: "催办", customer_message: "客户来信", merged: "合并", merged_from: "并入" };
const TABS = { open: () => "status=open", mine: () => `status=open&assignee=${encodeURIComponent(me.username)}`, done: () => "status=resolved,closed" };
let token = sessionStorage.getItem("desk"), me = null, tab = "open", items = [], picked = null, current = null, streams = [], typedAt = 0, quiet = 0;

function element(name, className, content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}
function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { $("notice").hidden = true; }, 5000);
}
async function call(path, body) {
  const options = { headers: { Authorization: `Bearer ${token}` } };
  if (body !== undefined) Object.assign(options, { method: "POST", body: JSON.stringify(body), headers: { ...options.headers, "Content-Type": "application/json" } });
  let answer;
  try { answer = await fetch(`/api${path}`, options); } catch { notice("网络断开，操作没有完成，请稍后再试。"); throw new Error("offline"); }
  if (answer.status === 401 && path !== "/login") { leave(); throw new Error("401"); }
  const found = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const changes = (found.changes || []).map((c) => `${c.actor} ${EVENTS[c.kind] || c.kind}`).join("，");
    const error = new Error([found.detail, changes].filter(Boolean).join("："));
    if (path !== "/login") { notice(error.message || "操作没有完成"); if (current) open(current.id); refresh(); }
    throw error;
  }
  return found;
}
function time(at) { return new Date(at).toLocaleString("zh-CN", { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "Asia/Shanghai" }); }
function due(ticket) {
  const answered = ticket.responded_at, left = (new Date(answered ? ticket.resolve_due : ticket.first_response_due) - Date.now()) / 60000;
  const span = Math.abs(left) < 60 ? `${Math.ceil(Math.abs(left))}分` : Math.abs(left) < 2880 ? `${Math.round(Math.abs(left) / 60)}时` : `${Math.round(Math.abs(left) / 1440)}天`;
  return { text: `${answered ? "办结" : "首响"}${left < 0 ? "超时" : "剩"}${span}`, className: `due ${left < 0 ? "late" : left < 15 ? "soon" : ""}` };
}
function row(ticket) {
  const made = element("li", ticket.id === picked ? "picked" : "");
  made.dataset.id = ticket.id;
  const first = element("div", "line"), last = element("div", "line");
  const when = due(ticket);
  first.append(element("span", `p ${ticket.priority}`, `${ticket.priority} ${me.priorities[ticket.priority]}`), element("span", "", me.categories[ticket.category] || ticket.category));
  if (["resolved", "closed"].includes(ticket.status)) first.append(element("span", "", STATUS[ticket.status])); else first.append(element("span", when.className, when.text));
  last.append(element("span", "", ticket.number), element("span", "", ticket.assignee ? `${STATUS[ticket.status]} · ${ticket.assignee}` : STATUS[ticket.status]));
  if (ticket.urged) last.append(element("span", "P2", `催办${ticket.urged}次`));
  made.append(first, element("div", "text", ticket.summary), last);
  made.onclick = () => open(ticket.id);
  return made;
}
async function refresh() {
  const q = $("search").value.trim();
  const found = await call(`/tickets?${TABS[tab]()}${q ? `&q=${encodeURIComponent(q)}` : ""}&limit=100`);
  items = found.items;
  $("count-open").textContent = ["new", "reopened"].reduce((sum, s) => sum + (found.counts[s] || 0), 0);
  document.title = `(${$("count-open").textContent}) 坐席工作台 · 电桥`;
  $("list").replaceChildren(...items.map(row));
  $("empty").hidden = items.length > 0;
}
async function open(id) {
  if (current && current.id !== id) sessionStorage.setItem(`draft-${current.id}`, $("draft").value);
  const other = !current || current.id !== id;
  picked = id;
  const ticket = await call(`/tickets/${id}`);
  if (picked !== id) return;
  current = ticket;
  $("desk").classList.add("open");
  for (const made of $("list").children) made.classList.toggle("picked", Number(made.dataset.id) === id);
  $("nothing").hidden = true; $("ticket").hidden = $("facts").hidden = false;
  draw(ticket, other);
  if (other) { $("draft").value = sessionStorage.getItem(`draft-${id}`) || ""; listen(); }
}
function draw(ticket, other) {
  const mine = ticket.assignee === me.username, done = ["resolved", "closed"].includes(ticket.status);
  $("number").textContent = ticket.number;
  $("status").textContent = ticket.assignee ? `${STATUS[ticket.status]} · ${ticket.assignee}` : STATUS[ticket.status];
  $("claim").hidden = Boolean(ticket.assignee) || done;
  $("transfer").hidden = done; $("resolve").hidden = !mine || done; $("reopen").hidden = !done;
  $("draft").disabled = done;
  const log = $("log"), follow = other || log.scrollHeight - log.scrollTop - log.clientHeight < 160;
  log.replaceChildren(...ticket.transcript.map((m) => {
    const made = element("div", `row ${m.from}`);
    made.append(element("small", "", `${{ customer: "客户", bot: "机器人", agent: "坐席", system: "系统" }[m.from]} ${time(m.at)}`), element("div", "bubble", m.text));
    if (m.original) made.append(element("small", "", `客户改过，原文：${m.original}`));
    if (m.undelivered) made.append(element("small", "undelivered", `没有送达：${m.undelivered}`));
    return made;
  }));
  if (follow) log.scrollTop = log.scrollHeight;
  const when = due(ticket);
  const facts = [["渠道", { web: "网页", telegram: "Telegram", wechat: "微信" }[ticket.channel] || ticket.channel], ["户号", ticket.account_no_masked || "未核验"], ["班组", me.teams[ticket.team] || ticket.team],
    ["时限", when.text], ["首次响应", time(ticket.first_response_due)], ["办结", time(ticket.resolve_due)], ["类别把握", `${Math.round(ticket.category_confidence * 100)}%`], ["模型", ticket.model]];
  if (ticket.reply_until) {
    const left = Math.floor((new Date(ticket.reply_until) - Date.now()) / 60000);
    facts.push(["可回复", left > 0 ? `还剩${Math.floor(left / 60)}小时${left % 60}分` : "已过时限，客户再来消息后才能送达"]);
  }
  $("summary").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  $("category").value = ticket.category; $("priority").value = ticket.priority;
  $("reasons").replaceChildren(...ticket.priority_reasons.map((reason) => element("li", "", reason)));
  $("events").replaceChildren(...ticket.events.map((e) => element("li", "", `${time(e.at)} ${e.actor} ${EVENTS[e.kind] || e.kind}${e.detail.text || e.detail.note || e.detail.reason || e.detail.resolution ? `：${e.detail.text || e.detail.note || e.detail.reason || e.detail.resolution}` : ""}`)));
}
async function act(verb, body = {}) {
  const done = await call(`/tickets/${current.id}/${verb}`, { ...body, version: current.version });
  await open(done.id);
  await refresh();
}
async function claimNext() {
  const found = await call("/tickets/claim", {});
  if (!found) return notice("没有待领的工单。");
  await refresh();
  await open(found.id);
  $("draft").focus();
}
async function send() {
  const text = $("draft").value.trim();
  if (!text || !current) return;
  if (!current.assignee) await act("claim");
  await act("reply", { text });
  $("draft").value = "";
  sessionStorage.removeItem(`draft-${current.id}`);
}
async function saveNote() {
  const text = $("draft").value.trim();
  if (!text || !current) return notice("先在输入框里写下备注。");
  await act("note", { text });
  $("draft").value = "";
}
function ask(title, fields) {
  return new Promise((answer) => {
    $("ask-title").textContent = title;
    $("ask-fields").replaceChildren(...fields);
    $("ask").onclose = () => answer($("ask").returnValue === "ok");
    $("ask").returnValue = "";
    $("ask").showModal();
  });
}
function area(placeholder) { const made = element("textarea"); made.rows = 3; made.required = true; made.placeholder = placeholder; return made; }
async function resolve() {
  const text = area("处理结果，客户会看到");
  if (await ask("办结工单", [text])) await act("resolve", { resolution: text.value });
}
async function reopen() {
  const text = area("重开的原因");
  if (await ask("重开工单", [text])) await act("reopen", { reason: text.value });
}
async function transfer() {
  const teams = element("select"), text = area("说明");
  text.required = false;
  for (const [key, name] of Object.entries(me.teams)) { const option = element("option", "", name); option.value = key; teams.append(option); }
  if (await ask("转派给班组", [teams, text])) await act("transfer", { team: teams.value, note: text.value });
}
async function listen() {
  for (const stream of streams) stream.close();
  streams = [];
  const topics = current ? ["", `&conversation=${current.conversation_id}`] : [""];
  for (const topic of topics) {
    const { ticket } = await call("/live", {});
    const stream = new EventSource(`/api/live?ticket=${encodeURIComponent(ticket)}${topic}`);
    stream.onopen = () => { $("live").className = "live"; $("live").textContent = "实时"; };
    stream.onerror = () => {
      $("live").className = "live off"; $("live").textContent = "重新连接…";
      if (stream.readyState === EventSource.CLOSED && streams.includes(stream)) setTimeout(listen, 2000);
    };
    stream.onmessage = (event) => heard(JSON.parse(event.data), Boolean(topic));
    streams.push(stream);
  }
}
function heard(event, about) {
  if (event.type === "typing") {
    if (event.from !== "customer") return;
    $("typing").hidden = false;
    clearTimeout(quiet);
    quiet = setTimeout(() => { $("typing").hidden = true; }, event.ttl * 1000);
  } else if (about) open(current.id);
  else { refresh(); if (current) open(current.id); }
}
function move(step) {
  const index = items.findIndex((item) => item.id === picked), next = items[Math.max(0, Math.min(items.length - 1, index + step))];
  if (next) open(next.id).then(() => $("list").querySelector(".picked")?.scrollIntoView({ block: "nearest" }));
}
function choose(name) {
  tab = name;
  for (const each of Object.keys(TABS)) $(`tab-${each}`).setAttribute("aria-selected", each === name);
  refresh();
}
function leave() { sessionStorage.removeItem("desk"); location.reload(); }
async function enter() {
  me = await call("/me");
  $("entrance").hidden = true; $("desk").hidden = false;
  $("me").textContent = me.username;
  for (const [id, names] of [["category", me.categories], ["priority", me.priorities]])
    $(id).replaceChildren(...Object.entries(names).map(([key, name]) => { const option = element("option", "", id === "priority" ? `${key} ${name}` : name); option.value = key; return option; }));
  await refresh();
  await listen();
  setInterval(() => refresh().catch(() => {}), 20000);
}
$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  try { token = (await call("/login", { username: $("username").value, password: $("password").value })).token; } catch (error) { $("refused").textContent = error.message; return; }
  sessionStorage.setItem("desk", token);
  $("refused").textContent = "";
  await enter();
});
for (const name of Object.keys(TABS)) $(`tab-${name}`).onclick = () => choose(name);
$("next").onclick = claimNext; $("claim").onclick = () => act("claim"); $("resolve").onclick = resolve; $("reopen").onclick = reopen; $("transfer").onclick = transfer; $("note").onclick = saveNote;
$("logout").onclick = leave; $("keys").onclick = () => $("help").showModal(); $("back").onclick = () => $("desk").classList.remove("open");
$("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("search").addEventListener("input", () => { clearTimeout(quiet); quiet = setTimeout(refresh, 250); });
$("category").onchange = () => act("category", { category: $("category").value });
$("priority").onchange = async () => {
  const text = area("改优先级的原因");
  if (await ask("改优先级", [text])) await act("priority", { priority: $("priority").value, reason: text.value }); else $("priority").value = current.priority;
};
$("draft").addEventListener("input", () => {
  if (current && current.assignee === me.username && Date.now() - typedAt > 3000) { typedAt = Date.now(); call(`/tickets/${current.id}/typing`, {}).catch(() => {}); }
});
document.addEventListener("keydown", (event) => {
  if (event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === $("draft")) { event.preventDefault(); return send(); }
  if (event.key === "Escape") return event.target.blur();
  if (/INPUT|TEXTAREA|SELECT/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey || !me) return;
  const keys = { j: () => move(1), k: () => move(-1), c: claimNext, r: () => $("draft").focus(), e: () => current && !$("resolve").hidden && resolve(), t: () => current && transfer(), n: saveNote, "/": () => $("search").focus(), "?": () => $("help").showModal() };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
if (token) enter().catch(() => {}); else { $("entrance").hidden = false; $("username").focus(); }
