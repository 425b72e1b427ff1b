// What tells a customer that something came while they looked elsewhere: the title, a notification, the widget's badge.
import * as store from "./store.js";

const TITLE = document.title;
const embedded = window.parent !== window;
let read = Number(store.get("dq.read")) || 0, unread = 0, closed = embedded, host = null;

export const away = () => document.hidden || closed;

function tell() {
  document.title = unread ? `(${unread}) ${TITLE}` : TITLE;
  if (embedded && host) window.parent.postMessage({ dianqiao: "unread", unread }, host);
}

/** A message was shown; `seen` if the customer is looking at it. */
export function arrived(message, seen) {
  if (seen && !away()) return looked(message.seq);
  if (message.from === "customer" || message.seq <= read) return;
  unread += 1;
  tell();
  if (Date.now() - new Date(message.at) > 60000 || !away()) return;
  try { if (Notification.permission === "granted") new Notification(TITLE, { body: message.text.slice(0, 80), tag: "dianqiao" }); } catch { /* not here */ }
}

/** Everything up to `seq` was seen. */
export function looked(seq) {
  if (seq <= read && !unread) return;
  read = Math.max(read, seq);
  unread = 0;
  store.set("dq.read", read);
  tell();
}

export function forget() { read = unread = 0; store.remove("dq.read"); tell(); }

export const mayAsk = () => !embedded && "Notification" in window && Notification.permission === "default";
export const ask = () => Notification.requestPermission();

/** The page around the frame says whether it is open; it is told the unread count and when Esc is pressed. */
export function listen(changed) {
  if (embedded) {
    addEventListener("message", (event) => {
      if (event.source !== window.parent || event.data?.dianqiao !== "shown") return;
      host = event.origin === "null" ? "*" : event.origin;
      closed = !event.data.open;
      tell();
      changed();
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && host) window.parent.postMessage({ dianqiao: "close" }, host); });
    window.parent.postMessage({ dianqiao: "ready" }, "*");
  }
  document.addEventListener("visibilitychange", changed);
}
