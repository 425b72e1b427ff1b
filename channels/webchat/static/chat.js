// The customer's page: what is said, what is answered, and the few controls around it.
import { button, day, element, page, row } from "./draw.js";
import { Line } from "./line.js";
import * as notice from "./notice.js";
import * as store from "./store.js";

const $ = (id) => document.getElementById(id);
const log = $("log"), text = $("text"), form = $("form");
const LARGEST_FILE = 10e6;
const SCORES = [[5, "非常满意"], [4, "满意"], [3, "一般"], [2, "不满意"], [1, "很不满意"]];
const line = new Line();
const pending = new Map();
let owner = null, quiet = 0, typedAt = 0, fresh = 0;

// whether the end is in view is measured when it moves, not for every message
let atEnd = true, moving = 0;
function toEnd() {
  atEnd = true;
  fresh = 0;
  $("newer").hidden = true;
  if (!notice.away()) notice.looked(line.last);
  moving ||= requestAnimationFrame(() => { moving = 0; log.scrollTop = log.scrollHeight; });
}

function pendingRow({ id, frame, title, refused }) {
  const made = row({ from: "customer", text: title });
  made.append(element("div", "receipt", frame.type === "file" ? "上传中…" : "发送中…"));
  pending.set(id, made);
  $("pending").append(made);
  if (refused) refuse({ id, refused });
}

function refuse({ id, refused }) {
  const receipt = pending.get(id)?.querySelector(".receipt");
  if (!receipt) return;
  const again = button(`没有发出：${refused} 点此重试`, () => { again.replaceWith(element("div", "receipt", "发送中…")); line.again(id); }, "receipt failed");
  receipt.replaceWith(again);
  if (atEnd) toEnd();
}

function settle(id) {
  pending.get(id)?.remove();
  pending.delete(id);
}

/** What is still on its way stays at the end. */
function place(made) { $("pending").before(made); }

function show(message) {
  const follow = atEnd || message.from === "customer";
  if (message.from === "customer") {
    settle(message.id);
    // an offer is over once something was said after it
    for (const offer of log.querySelectorAll(".row .choices")) offer.remove();
  }
  hideTyping();
  const today = day(message.at);
  if (log.dataset.day !== today) { log.dataset.day = today; place(element("p", "day", today)); }
  place(row(message, { press: (each) => line.say({ type: "button", payload: each.payload }, each.title), renew }));
  notice.arrived(message, follow);
  if (follow) toEnd(); else if (message.from !== "customer") {
    fresh += 1;
    $("newer").textContent = `↓ ${fresh} 条新消息`;
    $("newer").hidden = false;
  }
}

async function renew(seq, place) {
  try {
    const answer = await fetch(line._url("/chat/messages", { after: seq - 1, wait: 0 }));
    return (await answer.json()).messages.find((one) => one.seq === seq)?.attachments[place]?.url;
  } catch { return ""; }
}

function hideTyping() { clearTimeout(quiet); $("typing").hidden = true; }

function owned(frame) {
  const closed = owner && owner !== "bot" && frame.owner === "bot";
  owner = frame.owner;
  const waiting = frame.position > 0 ? `人工客服排队中，前面还有 ${frame.position} 位` : "人工客服马上就来";
  $("state").textContent = { bot: "智能客服在线", queue: waiting, agent: "人工客服为您服务" }[owner];
  $("person").disabled = owner !== "bot";
  $("person").textContent = { bot: "转人工", queue: "排队中", agent: "人工中" }[owner];
  $("remind").hidden = owner === "bot" || !notice.mayAsk();
  if (closed) store.set("dq.rate", "1");
  if (owner !== "bot") store.remove("dq.rate");
  $("rating").hidden = !store.get("dq.rate");
  if (closed) toEnd();
}

function rated(score, word) {
  $("rating").hidden = true;
  store.remove("dq.rate");
  if (score) line.say({ type: "message", text: `评价：${score}星，${word}` }, `评价：${score}星，${word}`);
  text.focus();
}

function drawScores() {
  const few = document.documentElement.classList.contains("large") ? SCORES.filter(([score]) => score % 2) : SCORES;
  $("rating").querySelector(".stars").replaceChildren(...few.map(([score, word]) => {
    const made = button("", () => rated(score, word));
    made.append(element("b", "", "★".repeat(score)), element("span", "", word));
    made.firstChild.setAttribute("aria-hidden", "true");
    made.setAttribute("aria-label", `${score}星，${word}`);
    return made;
  }));
}

function say(said) { line.say({ type: "message", text: said }, said); }

function attach(files) {
  for (const file of files) {
    const title = /^image\//.test(file.type) ? `[图片] ${file.name}` : `[文件] ${file.name}`;
    if (file.size > LARGEST_FILE) {
      place(row({ from: "system", text: `${file.name} 太大了，请选择10 MB以内的文件。` }));
      toEnd();
    } else line.say({ type: "file", name: file.name }, title, file);
  }
}

line.addEventListener("pending", ({ detail }) => { pendingRow(detail); toEnd(); });
line.addEventListener("refused", ({ detail }) => refuse(detail));
line.addEventListener("message", ({ detail }) => show(detail));
line.addEventListener("owner", ({ detail }) => owned(detail));
line.addEventListener("ack", ({ detail: { id } }) => {
  const receipt = pending.get(id)?.querySelector(".receipt");
  if (receipt) receipt.textContent = "已送达";
});
line.addEventListener("typing", ({ detail }) => {
  $("typing").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(hideTyping, detail.ttl * 1000);
});
line.addEventListener("online", () => {
  $("offline").hidden = true;
  $("loading").hidden = true;
  if (!owner) $("state").textContent = "智能客服在线"; else owned({ owner });
});
line.addEventListener("offline", () => {
  $("offline").hidden = false;
  $("loading").hidden = true;
  $("state").textContent = "正在重新连接…";
  hideTyping();
});
line.addEventListener("forgotten", () => {
  for (const made of log.querySelectorAll(":scope > .row, :scope > .day")) made.remove();
  delete log.dataset.day;
  owner = null;
  notice.forget();
});

function fit() { text.style.height = "auto"; text.style.height = `${text.scrollHeight + 2}px`; }

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  say(said);
  text.value = "";
  store.remove("dq.draft");
  fit();
});
text.addEventListener("keydown", (event) => {
  // Enter while choosing a Chinese word belongs to the input method
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) { event.preventDefault(); form.requestSubmit(); }
});
text.addEventListener("input", () => {
  fit();
  store.set("dq.draft", text.value);
  if (Date.now() - typedAt > 3000) { typedAt = Date.now(); line.typing(); }
});
text.addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); attach(event.clipboardData.files); } });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => { event.preventDefault(); attach(event.dataTransfer.files); });
$("attach").onclick = () => $("file").click();
$("file").onchange = () => { attach($("file").files); $("file").value = ""; };
$("person").onclick = () => say("转人工");
$("welcome").addEventListener("click", (event) => { if (event.target.dataset.say) say(event.target.dataset.say); });
$("newer").onclick = () => { toEnd(); log.focus(); };
$("remind-on").onclick = async () => { await notice.ask(); $("remind").hidden = true; };
$("rating-no").onclick = () => rated(0);
log.addEventListener("scroll", () => {
  if (moving) return;
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  if (atEnd && !notice.away()) { fresh = 0; $("newer").hidden = true; notice.looked(line.last); }
});
// a picture that arrives, or a log that becomes lower, does not hide what was in view
log.addEventListener("load", () => { if (atEnd) toEnd(); }, true);
new ResizeObserver(() => { if (atEnd && log.querySelector(".row")) toEnd(); }).observe(log);
$("size").onclick = () => large(!document.documentElement.classList.contains("large"));
function large(on) {
  document.documentElement.classList.toggle("large", on);
  $("size").setAttribute("aria-pressed", on);
  if (on) store.set("dq.large", "1"); else store.remove("dq.large");
  for (const box of log.querySelectorAll(".choices")) page(box);
  drawScores();
  fit();
}

large(Boolean(store.get("dq.large")));
text.value = store.get("dq.draft") || "";
for (const item of line.unsent.values()) pendingRow(item);
notice.listen(() => { if (!notice.away() && atEnd) notice.looked(line.last); });
fit();
line.open();
