// The agents' desk: entering, leaving, and which of its pages shows.
import { $ } from "./page.js";
import { desk, leads } from "./api.js";
import { entrance, leave } from "./entrance.js";
import { refresh, startQueue } from "./queue.js";
import * as ticket from "./ticket.js";
import { keepDraft, startComposer } from "./composer.js";
import { arrive, startPresence } from "./presence.js";
import { listen } from "./live.js";
import { link, merge, split, startBulk } from "./bulk.js";
import { startKeys } from "./keys.js";
import { wall } from "./wall.js";
import { people } from "./people.js";
import { logins } from "./lists.js";

const PAGES = { tickets: refresh, wall, people };
let page = "tickets";
function turn(name) {
  page = name;
  $("desk").classList.toggle("tickets", name === "tickets");
  for (const each of Object.keys(PAGES)) {
    if (each !== "tickets") $(each).hidden = each !== name;
    if (each === name) $(`page-${each}`).setAttribute("aria-current", "page"); else $(`page-${each}`).removeAttribute("aria-current");
  }
  return PAGES[name]();
}
async function open() {
  $("page-wall").hidden = $("page-people").hidden = !leads();
  $("page-trainer").hidden = !["trainer", "admin"].includes(desk.me.role);
  ticket.onOpen(arrive);
  ticket.onOpen(listen);
  startComposer();
  startBulk();
  startKeys();
  startPresence();
  for (const [id, act] of [["claim", () => ticket.act("claim")], ["resolve", ticket.resolve], ["reopen", ticket.reopen], ["transfer", ticket.transfer], ["correct-category", ticket.correctCategory], ["correct-priority", ticket.correctPriority],
    ["merge", merge], ["split", split], ["link", link], ["field", ticket.fieldWork], ["promise", ticket.promise]]) $(id).onclick = act;
  for (const name of Object.keys(PAGES)) $(`page-${name}`).onclick = () => turn(name);
  $("me").onclick = logins;
  $("back").onclick = () => $("desk").classList.remove("open");
  $("logout").onclick = () => { keepDraft(true); leave(); };
  $("others-list").onclick = () => { $("others").open = false; };
  await startQueue(ticket.open);
  await listen();
  setInterval(() => { refresh(); if (page === "wall") wall(); }, 20000);
}
$("login").addEventListener("submit", () => { if (window.Notification?.permission === "default") Notification.requestPermission(); });
entrance(open);
