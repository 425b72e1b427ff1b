// Who is here: colleagues at the same ticket, and my own state (online, away) towards the queue.
import { $ } from "./page.js";
import { call, desk, post, works } from "./api.js";

let typedAt = 0, heart = 0;
/** `viewers` are {username, typing, holds}; others than me are named. */
export function show(viewers) {
  const others = viewers.filter((one) => one.username !== desk.me.username);
  $("viewers").hidden = others.length === 0;
  $("viewers").textContent = others.map((one) => `${one.username}${one.typing ? "正在写回复" : "也在看"}`).join("，");
  $("viewers").classList.toggle("late", others.some((one) => one.typing));
}
async function beat(typing) {
  if (!desk.ticket || !works()) return;
  const id = desk.ticket.id;
  const found = await post(`/tickets/${id}/viewing`, { typing }, { quiet: true }).catch(() => null);
  if (found && desk.ticket?.id === id) show(found.viewers);
}
export function arrive() {
  clearInterval(heart);
  beat(false);
  heart = setInterval(() => { if (!document.hidden) beat(false); }, 10000);
}
export function leave(id, keepalive = false) {
  clearInterval(heart);
  if (works()) call(`/tickets/${id}/viewing`, { method: "DELETE", quiet: true, keepalive }).catch(() => {});
}
export function typed() {
  if (Date.now() - typedAt < 3000) return;
  typedAt = Date.now();
  if (desk.ticket.assignee === desk.me.username) post(`/tickets/${desk.ticket.id}/typing`, {}, { quiet: true }).catch(() => {});
  else beat(true);
}
async function state() {
  const push = $("push").checked, chosen = $("presence").value;
  localStorage.setItem("desk-presence", JSON.stringify([chosen, push]));
  await post("/presence", { state: chosen, push }, { quiet: true }).catch(() => {});
}
export function startPresence() {
  $("mystate").hidden = !works();
  if (!works()) return;
  const [chosen, push] = JSON.parse(localStorage.getItem("desk-presence") || '["online",false]');
  $("presence").value = chosen;
  $("push").checked = push;
  $("presence").onchange = $("push").onchange = state;
  state();
  setInterval(state, 30000);
  addEventListener("pagehide", () => desk.ticket && leave(desk.ticket.id, true));
}
