// One stream for the queue and one for the open conversation; what they say is: read again.
import { $, notice } from "./page.js";
import { desk, post, works } from "./api.js";
import { refresh } from "./queue.js";
import { again, open } from "./ticket.js";
import { show } from "./presence.js";

let streams = [], quiet = 0, later = 0, turn = 0;
export async function listen() {
  const now = ++turn;
  for (const stream of streams) stream.close();
  streams = [];
  for (const topic of desk.ticket ? ["", `&conversation=${desk.ticket.conversation_id}`] : [""]) {
    let pass;
    try { pass = (await post("/live", {}, { quiet: true })).ticket; } catch { return retry(now); }
    if (now !== turn) return;
    const stream = new EventSource(`/api/live?ticket=${encodeURIComponent(pass)}${topic}`);
    let broken = false;
    stream.onopen = () => {
      $("live").className = "live";
      $("live").textContent = "实时";
      if (broken) { broken = false; refresh(); again(); }
    };
    stream.onerror = () => {
      broken = true;
      offline();
      if (stream.readyState === EventSource.CLOSED) retry(now);
    };
    stream.onmessage = (event) => heard(JSON.parse(event.data), Boolean(topic));
    streams.push(stream);
  }
}
function offline() { $("live").className = "live off"; $("live").textContent = "重新连接…"; }
function retry(now) { offline(); setTimeout(() => { if (now === turn) listen(); }, 2000); }
function heard(event, about) {
  if (event.type === "typing") {
    if (event.from !== "customer") return;
    $("typing").hidden = false;
    clearTimeout(quiet);
    quiet = setTimeout(() => { $("typing").hidden = true; }, event.ttl * 1000);
  } else if (event.type === "viewing") {
    if (event.ticket === desk.ticket?.id) show(event.viewers.map(([username, typing]) => ({ username, typing })));
  } else if (event.type === "mention") {
    if (event.for === desk.me.username) alert(`${event.from}在工单备注里提到了您`, event.ticket);
  } else if (event.type === "handoff") {
    if (works() && (!desk.me.team || desk.me.team === event.team)) alert(`${event.priority} 有客户转人工，等待受理`, event.ticket);
    soon();
  } else if (event.type === "warning" || event.type === "escalated") {
    if (event.type === "escalated" || event.assignee === desk.me.username) alert(event.type === "escalated" ? "有工单超过60秒没人领" : "您的工单快到时限了", event.ticket);
    soon();
  } else if (about) again();
  else soon();
}
/** Many changes at once are read once. */
function soon() {
  clearTimeout(later);
  later = setTimeout(() => { refresh(); again(); }, 150);
}
function alert(text, ticket) {
  notice(text, "查看", ticket ? () => open(ticket) : undefined, 10);
  sound();
  if (document.hidden && window.Notification?.permission === "granted") new Notification("坐席工作台", { body: text });
}
function sound() {
  try {
    const context = new AudioContext(), tone = context.createOscillator(), volume = context.createGain();
    volume.gain.value = 0.05;
    tone.connect(volume).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.12);
    tone.onended = () => context.close();
  } catch { /* a browser without sound still shows the line */ }
}
