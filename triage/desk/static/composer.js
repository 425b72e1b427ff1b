// The reply box: replies, notes, canned replies by `/`, drafts kept by the server, the send guard.
import { $, button, composing, element, notice } from "./page.js";
import { call, desk, post } from "./api.js";
import { EVENTS, SPEAKERS, STATES } from "./words.js";
import { again, act, open } from "./ticket.js";
import { refresh } from "./queue.js";
import { typed } from "./presence.js";

const VARIABLE = /[{｛]+\s*([^{}｛｝\n]{1,20}?)\s*[}｝]+/g;
let mode = "reply", seen = null, saveLater = 0, held = null, canned = [], chosen = 0, sending = false, search = 0;

export function start(ticket) {
  $("draft").value = ticket.draft || "";
  held = { id: ticket.id, text: $("draft").value };
  seen = ticket.transcript.at(-1)?.seq ?? null;
  setMode("reply");
  dropPicture();
  $("missed").hidden = $("canned").hidden = $("suggestions").hidden = true;
  $("kept").textContent = ticket.draft ? "草稿已恢复" : "";
}
export function saw(seq) { if (seq !== undefined && $("missed").hidden) seen = Math.max(seen ?? 0, seq); }
export function setMode(next) {
  mode = next;
  $("composer").classList.toggle("note", mode === "note");
  for (const name of ["reply", "note"]) $(`mode-${name}`).setAttribute("aria-pressed", name === mode);
  $("send").textContent = mode === "note" ? "存为备注" : "发送";
  $("draft").placeholder = mode === "note" ? "备注只有同事看得到，@用户名 提醒同事" : "回复客户，按 / 选常用语，Ctrl+Enter 发送";
  $("draft").setAttribute("aria-label", mode === "note" ? "备注" : "回复客户");
}
export function focusOn(next) { setMode(next); $("draft").focus(); }
/** Save now what is written, also while the page goes away. */
export function keepDraft(keepalive = false) {
  clearTimeout(saveLater);
  if (!held || held.text === $("draft").value) return;
  held.text = $("draft").value;
  const { id, text } = held;
  call(`/tickets/${id}/draft`, { method: "PUT", body: { text }, quiet: true, keepalive }).then(
    () => { if (held?.id === id) $("kept").textContent = text ? "草稿已保存" : ""; },
    () => { if (held?.id === id) { held.text = null; $("kept").textContent = "草稿还没保存，联网后会再试"; saveLater = setTimeout(keepDraft, 3000); } },
  );
}
function changed() {
  clearTimeout(saveLater);
  $("kept").textContent = "";
  saveLater = setTimeout(keepDraft, 500);
  typed();
  look();
}
export async function send() {
  const text = $("draft").value.trim(), ticket = desk.ticket;
  if (!text || !ticket || sending) return;
  const open = [...text.matchAll(VARIABLE)].map((match) => match[1]);
  if (mode === "reply" && open.length) { pickVariable(); return notice(`还有没填的变量：${open.join("、")}`); }
  sending = true;
  $("send").disabled = true;
  clearTimeout(saveLater);
  try {
    if (mode === "note") await note(ticket, text); else await reply(ticket, text);
  } finally {
    sending = false;
    $("send").disabled = false;
  }
}
async function reply(ticket, text) {
  if (!ticket.assignee && !await act("claim")) return keepDraft();
  try { await post(`/tickets/${ticket.id}/reply`, { text, seen }, { quiet: true }); } catch (error) {
    keepDraft();
    return guard(ticket, error);
  }
  sent(ticket, text);
}
// a picture is looked at before it is sent: chosen, pasted or dropped
let picture = null;
function pictured(file) {
  if (!file || !file.type.startsWith("image/")) return;
  dropPicture();
  picture = { file, link: URL.createObjectURL(file) };
  $("picture-seen").src = picture.link;
  $("picture").hidden = false;
  $("picture-send").focus();
}
function dropPicture() {
  if (picture) URL.revokeObjectURL(picture.link);
  picture = null;
  $("picture").hidden = true;
  $("picture-file").value = "";
}
async function sendPicture() {
  const ticket = desk.ticket, { file } = picture || {};
  if (!file || sending) return;
  sending = $("picture-send").disabled = true;
  try {
    if (!ticket.assignee && !await act("claim")) return;
    const query = `name=${encodeURIComponent(file.name)}${seen === null ? "" : `&seen=${seen}`}`;
    try { await post(`/tickets/${ticket.id}/picture?${query}`, file, { quiet: true }); } catch (error) {
      return error.status === 409 ? guard(ticket, error) : notice(error.message);
    }
    dropPicture();
    await again();
    seen = desk.ticket.transcript.at(-1)?.seq ?? seen;
    refresh();
    $("draft").focus();
  } finally {
    sending = $("picture-send").disabled = false;
  }
}
export const pickPicture = () => $("picture-file").click();
async function note(ticket, text) {
  await post(`/tickets/${ticket.id}/note`, { text, mentions: [...new Set([...text.matchAll(/@([\w.-]+)/g)].map((match) => match[1]))] });
  await call(`/tickets/${ticket.id}/draft`, { method: "PUT", body: { text: "" }, quiet: true }).catch(() => {});
  sent(ticket, text);
}
async function sent(ticket, text) {
  if (desk.ticket?.id !== ticket.id) return;
  if ($("draft").value.trim() === text) $("draft").value = "";
  held.text = $("draft").value ? null : "";
  $("kept").textContent = "";
  $("missed").hidden = true;
  setMode("reply");
  await again();
  seen = desk.ticket.transcript.at(-1)?.seq ?? seen;
  refresh();
}
/** Others wrote since: show what, keep the draft, let the agent decide. */
async function guard(ticket, error) {
  const missed = error.found?.messages || [], changes = error.found?.changes || [];
  if (!missed.length && !changes.length) { notice(`${error.message}，草稿已保留。`); return again(); }
  const lines = [...missed.map((m) => `${SPEAKERS[m.from]}：${m.text}`), ...changes.map((c) => `${c.actor} ${EVENTS[c.kind] || c.kind}`)];
  $("missed-list").replaceChildren(...lines.map((said) => element("li", "", said)));
  $("missed").hidden = false;
  seen = Math.max(seen ?? 0, ...missed.map((m) => m.seq));
  // not waited for: who has read the difference may send at once
  again();
  $("draft").focus();
}
// the list at the cursor: canned replies by `/`, in a note colleagues by `@`
function word() {
  const before = $("draft").value.slice(0, $("draft").selectionStart), sign = mode === "note" ? "@" : "/";
  const found = before.match(mode === "note" ? /(?:^|[^\w.-])@([\w.-]{0,32})$/ : /(?:^|\s)\/([\p{L}\d]{0,16})$/u);
  return found && { sign, q: found[1], from: before.length - found[1].length - 1, to: before.length };
}
async function found(at) {
  if (at.sign === "/") return (await call(`/canned?q=${encodeURIComponent(at.q)}`, { quiet: true })).items;
  const { items } = await call("/colleagues", { quiet: true });
  return items.filter((one) => one.username !== desk.me.username && one.username.toLowerCase().startsWith(at.q.toLowerCase()))
    .map((one) => ({ title: `@${one.username}`, initials: "", text: [desk.me.teams[one.team], STATES[one.state]].filter(Boolean).join("，"), mention: one.username }));
}
async function look() {
  const at = word(), turn = ++search;
  if (!at) { $("canned").hidden = true; $("draft").removeAttribute("aria-activedescendant"); return; }
  const items = await found(at).catch(() => []);
  if (turn !== search || !word()) return;
  [canned, chosen] = [items, 0];
  drawCanned();
}
function drawCanned() {
  $("canned").setAttribute("aria-label", mode === "note" ? "同事" : "常用语");
  $("canned").replaceChildren(...canned.map((one, index) => {
    const made = element("li", index === chosen ? "chosen" : "");
    made.id = `canned-${index}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", index === chosen);
    made.append(element("strong", "", one.title), element("small", "", ` ${one.initials} `), element("span", "small", one.text));
    made.onmousedown = (event) => { event.preventDefault(); use(one); };
    return made;
  }), ...(canned.length ? [] : [element("li", "hint", mode === "note" ? "没有这位同事" : "没有这条常用语")]));
  if (!canned.length) $("canned").firstChild.setAttribute("role", "option");
  $("canned").hidden = false;
  if (canned.length) $("draft").setAttribute("aria-activedescendant", `canned-${chosen}`);
  $("canned").children[chosen]?.scrollIntoView({ block: "nearest" });
}
async function use(one) {
  const at = word(), ticket = desk.ticket.id;
  if (!at) return;
  if (one.mention) return insert(`@${one.mention} `, at.from, at.to);
  const found = await call(`/canned/${one.id}/fill?ticket=${ticket}`);
  if (desk.ticket?.id !== ticket) return;
  insert(found.text, at.from, at.to);
  if (found.missing.length) { pickVariable(); notice(`请填写：${found.missing.join("、")}`); }
}
function insert(text, from, to) {
  $("draft").setRangeText(text, from, to, "end");
  $("canned").hidden = true;
  $("draft").focus();
  changed();
}
function pickVariable() {
  const found = $("draft").value.match(new RegExp(VARIABLE.source));
  if (!found) return;
  $("draft").focus();
  $("draft").setSelectionRange(found.index, found.index + found[0].length);
}
export async function suggest() {
  const id = desk.ticket.id, box = $("suggestions");
  if (!box.hidden) { box.hidden = true; return; }
  box.hidden = false;
  box.replaceChildren(element("p", "hint", "正在找相似的工单…"));
  const found = await call(`/tickets/${id}/suggestions`, { quiet: true }).catch((error) => ({ items: [], error }));
  if (desk.ticket?.id !== id) return;
  box.replaceChildren(...found.items.map((one) => {
    const made = element("p", "suggestion");
    made.append(button(one.text, "link", () => { box.hidden = true; insert(one.text, $("draft").selectionStart, $("draft").selectionEnd); }), button(`来自 ${one.source}`, "link small", () => open(one.ticket)));
    return made;
  }), ...(found.items.length ? [] : [element("p", "hint", found.error ? "没能读到建议，请稍后再试。" : "还没有相似的已办结工单。")]));
}
function key(event) {
  if (composing(event)) return;
  if (!$("canned").hidden && canned.length) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); chosen = (chosen + step + canned.length) % canned.length; return drawCanned(); }
    if ((event.key === "Enter" || event.key === "Tab") && !event.ctrlKey && !event.metaKey) { event.preventDefault(); return use(canned[chosen]); }
  }
  if (event.key === "Escape" && !$("canned").hidden) { event.preventDefault(); event.stopPropagation(); $("canned").hidden = true; return; }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); }
}
export function startComposer() {
  $("draft").addEventListener("input", changed);
  $("draft").addEventListener("keydown", key);
  $("draft").addEventListener("blur", () => { $("canned").hidden = true; });
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  $("mode-reply").onclick = () => focusOn("reply");
  $("mode-note").onclick = () => focusOn("note");
  $("suggest").onclick = suggest;
  $("picture-pick").onclick = pickPicture;
  $("picture-file").onchange = () => pictured($("picture-file").files[0]);
  $("picture-send").onclick = sendPicture;
  $("picture-drop").onclick = () => { dropPicture(); $("draft").focus(); };
  $("draft").addEventListener("paste", (event) => pictured(event.clipboardData.files[0]));
  $("composer").addEventListener("dragover", (event) => event.preventDefault());
  $("composer").addEventListener("drop", (event) => { if (event.dataTransfer.files.length) { event.preventDefault(); pictured(event.dataTransfer.files[0]); } });
  $("missed-look").onclick = () => { $("missed").hidden = true; $("draft").focus(); };
  $("missed-send").onclick = () => { $("missed").hidden = true; if (picture) sendPicture(); else send(); };
  addEventListener("pagehide", () => keepDraft(true));
}
