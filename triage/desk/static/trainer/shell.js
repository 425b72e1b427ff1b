// The trainer's pages: entering, leaving, which page shows, and the keyboard.
//
// A page is a module beside this one that exports
//   open(section, path)  draws itself into the empty section; `path` is what follows its name in the address: #annotate/12 → "12".
//   keys                 optional: [[key, name, act], …], for the keyboard and for what `?` shows.
//   more                 optional: [[keys, name], …], shown by `?` and seen to by the page itself.
//   leave()              optional: another page shows next; stops timers. False keeps this page.
import { $, button, composing, element } from "../page.js";
import { entrance, leave } from "../entrance.js";

const PAGES = { review: "待复核", annotate: "标注", data: "数据", models: "模型", answers: "答案", effect: "成效" };
const TRAINERS = ["trainer", "admin"];
let shown = null;

const address = () => { const [name, ...rest] = location.hash.slice(1).split("/"); return name in PAGES ? [name, rest.join("/")] : ["review", ""]; };
/** Go to a page: go("annotate", "12"). */
export function go(name, path = "") {
  const to = `#${name}${path ? `/${path}` : ""}`;
  if (location.hash === to) return turn();
  location.hash = to;
}
async function turn() {
  const [name, path] = address();
  if (shown?.leave && shown.leave() === false) return;
  shown = null;
  for (const each of Object.keys(PAGES)) if (each === name) $(`page-${each}`).setAttribute("aria-current", "page"); else $(`page-${each}`).removeAttribute("aria-current");
  document.title = `${PAGES[name]} · 训练师 · 电桥`;
  const section = element("section", name);
  section.id = name;
  section.setAttribute("aria-label", PAGES[name]);
  section.append(element("p", "hint", "正在读取…"));
  $("page").replaceChildren(section);
  try {
    const page = await import(`./${name}.js`);
    if (!section.isConnected) return;
    shown = page;
    section.replaceChildren();
    await page.open(section, path);
  } catch (error) {
    if (section.isConnected) section.replaceChildren(broken(`“${PAGES[name]}”没能打开：${error.message}`, turn));
  }
}
/** What a page shows in place of what it could not read. */
export function broken(why, again) {
  const made = element("div", "hint");
  made.setAttribute("role", "alert");
  made.append(element("p", "wrong", why), button("再试一次", "quiet", again));
  return made;
}
const SIGNS = { ArrowLeft: "←", ArrowRight: "→" };
function help() {
  const common = [["[ ]", "上一页、下一页"], ["?", "快捷键"]];
  const rows = [...(shown?.keys || []), ...(shown?.more || []), ...common];
  $("help-list").replaceChildren(...rows.flatMap(([key, name]) => { const term = element("dt"); term.append(element("kbd", "", SIGNS[key] || key)); return [term, element("dd", "", name)]; }));
  $("help").showModal();
}
function beside(step) {
  const names = Object.keys(PAGES), at = names.indexOf(address()[0]) + step;
  if (names[at]) go(names[at]);
}
const writing = (target) => /TEXTAREA|SELECT/.test(target.tagName) || (target.tagName === "INPUT" && target.type !== "checkbox");
function press(event) {
  if (composing(event) || event.defaultPrevented || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return document.activeElement?.blur();
  if (writing(event.target)) return;
  const common = { "?": help, "[": () => beside(-1), "]": () => beside(1) };
  const act = shown?.keys?.find(([key]) => key === event.key)?.[2] || common[event.key];
  if (!act || (event.key === "Enter" && event.target.closest("button, a, summary"))) return;
  event.preventDefault();
  act(event);
}
async function start() {
  $("pages").replaceChildren(...Object.entries(PAGES).map(([name, title]) => { const made = button(title, "", () => go(name)); made.id = `page-${name}`; return made; }));
  $("keys").onclick = help;
  $("logout").onclick = leave;
  document.addEventListener("keydown", press);
  addEventListener("hashchange", turn);
  await turn();
}
entrance(start, (me) => TRAINERS.includes(me.role) ? "" : "这个用户没有训练师权限，请换一个用户登录。");
