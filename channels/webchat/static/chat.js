// The chat page. What is typed is kept in localStorage until the server has it; messages are shown once, by seq.
const $ = (id) => document.getElementById(id);
const log = $("log"), text = $("text"), form = $("form");
const NAMES = { bot: "小桥（智能客服）", agent: "人工客服", system: "" };
// a frame on a foreign page may be denied storage: then things last as long as the page
const store = (() => {
  try { return window.localStorage; } catch { /* denied */ }
  const kept = new Map();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, String(value)), removeItem: (name) => kept.delete(name) };
})();
const shown = new Map();
const unsent = new Map(Object.entries(JSON.parse(store.getItem("unsent") || "{}")));
let token = store.getItem("token"), socket = null, last = 0, wait = 500, quietTimer = 0, typedAt = 0;

function element(name, className, content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function keep() { store.setItem("unsent", JSON.stringify(Object.fromEntries(unsent))); }

function clock(at) {
  const time = new Date(at), today = new Date().toDateString() === time.toDateString();
  const options = { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Shanghai" };
  return time.toLocaleString("zh-CN", today ? options : { month: "numeric", day: "numeric", ...options });
}

function cardOf(card) {
  const box = element("section", "card");
  box.append(element("h2", "", card.title));
  const list = element("dl");
  for (const [label, value] of card.rows) {
    const line = element("div");
    line.append(element("dt", "", label), element("dd", "", value));
    list.append(line);
  }
  box.append(list);
  if (card.as_of) box.append(element("footer", "", `数据时间：${card.as_of}`));
  return box;
}

function atEnd() { return log.scrollHeight - log.scrollTop - log.clientHeight < 120; }

function append(row, follow) {
  log.append(row);
  if (follow) log.scrollTop = log.scrollHeight;
}

function rowOf(message) {
  const row = element("article", `row ${message.from}`);
  const name = NAMES[message.from];
  if (message.from !== "system") row.append(element("div", "meta", [name, message.at && clock(message.at)].filter(Boolean).join(" · ")));
  if (message.text) row.append(element("div", "bubble", message.text));
  if (message.card) row.append(cardOf(message.card));
  if (message.buttons && message.buttons.length) {
    const choices = element("div", "choices");
    for (const button of message.buttons) {
      const made = element("button", "", button.title);
      made.type = "button";
      made.onclick = () => { for (const b of choices.children) b.disabled = true; send({ type: "button", payload: button.payload }, button.title); };
      choices.append(made);
    }
    row.append(choices);
  }
  return row;
}

function pendingRow(id, title) {
  const row = rowOf({ from: "customer", text: title });
  row.dataset.id = id;
  row.append(element("div", "receipt", "发送中…"));
  return row;
}

function show(message) {
  if (message.seq <= last) return;
  last = message.seq;
  const follow = atEnd() || message.from === "customer";
  if (message.from === "customer") {
    for (const [id, row] of shown) if (row.dataset.seq === String(message.seq)) { shown.delete(id); row.remove(); }
  }
  hideTyping();
  append(rowOf(message), follow);
  // what is still on its way stays at the end
  for (const row of shown.values()) log.append(row);
}

function acked(id, seq) {
  unsent.delete(id);
  keep();
  const row = shown.get(id);
  if (!row) return;
  if (seq <= last) { shown.delete(id); row.remove(); return; }
  row.dataset.seq = seq;
  row.querySelector(".receipt").textContent = "已送达";
}

function send(frame, title) {
  const id = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  unsent.set(id, { frame, title });
  keep();
  const row = pendingRow(id, title);
  shown.set(id, row);
  append(row, true);
  transmit(id);
}

function transmit(id) {
  const { frame } = unsent.get(id);
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ...frame, id }));
}

function failed(reason) {
  const newest = [...unsent.keys()].pop();
  const row = newest && shown.get(newest);
  if (!row) return;
  const again = element("button", "receipt failed", `${reason} 点此重发`);
  again.type = "button";
  again.onclick = () => { again.replaceWith(element("div", "receipt", "发送中…")); transmit(newest); };
  row.querySelector(".receipt").replaceWith(again);
}

function hideTyping() { clearTimeout(quietTimer); $("typing").hidden = true; }

function owner(frame) {
  const waiting = frame.position > 0 ? `人工客服排队中，前面还有 ${frame.position} 位` : "人工客服马上就来";
  $("state").textContent = { bot: "智能客服在线", queue: waiting, agent: "人工客服为您服务" }[frame.owner];
}

function receive(frame) {
  if (frame.type === "message") show(frame);
  else if (frame.type === "ack") acked(frame.id, frame.seq);
  else if (frame.type === "owner") owner(frame);
  else if (frame.type === "typing") {
    $("typing").hidden = false;
    clearTimeout(quietTimer);
    quietTimer = setTimeout(hideTyping, frame.ttl * 1000);
  } else if (frame.type === "error") {
    if (frame.code === "no_identity") { store.removeItem("token"); token = null; } else failed(frame.text);
  }
}

async function connect() {
  try {
    const answer = await fetch("/chat/session", { method: "POST", body: token ? JSON.stringify({ token }) : "" });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = (await answer.json()).token;
    token = fresh;
    store.setItem("token", token);
  } catch { return later(); }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/chat/ws?token=${encodeURIComponent(token)}&after=${last}`);
  socket.onopen = () => {
    wait = 500;
    $("offline").hidden = true;
    if ($("state").textContent.startsWith("正在")) $("state").textContent = "智能客服在线";
    for (const id of unsent.keys()) transmit(id);
  };
  socket.onmessage = (event) => receive(JSON.parse(event.data));
  socket.onclose = later;
}

function later() {
  socket = null;
  $("offline").hidden = false;
  $("state").textContent = "正在重新连接…";
  setTimeout(connect, wait);
  wait = Math.min(wait * 2, 8000);
}

function fit() { text.style.height = "auto"; text.style.height = `${text.scrollHeight + 2}px`; }

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  send({ type: "message", text: said }, said);
  text.value = "";
  store.removeItem("draft");
  fit();
});
text.addEventListener("keydown", (event) => {
  // Enter while choosing a Chinese word belongs to the input method
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) { event.preventDefault(); form.requestSubmit(); }
});
text.addEventListener("input", () => {
  fit();
  store.setItem("draft", text.value);
  if (Date.now() - typedAt > 3000 && socket && socket.readyState === WebSocket.OPEN) { typedAt = Date.now(); socket.send('{"type":"typing"}'); }
});
$("welcome").addEventListener("click", (event) => {
  const said = event.target.dataset.say;
  if (said) send({ type: "message", text: said }, said);
});
$("size").addEventListener("click", () => large(!document.documentElement.classList.contains("large")));
function large(on) {
  document.documentElement.classList.toggle("large", on);
  $("size").setAttribute("aria-pressed", on);
  store.setItem("large", on ? "1" : "");
}

large(Boolean(store.getItem("large")));
text.value = store.getItem("draft") || "";
for (const [id, { title }] of unsent) { const row = pendingRow(id, title); shown.set(id, row); log.append(row); }
fit();
connect();
