// 人员: who works at the desk; an admin adds, changes and stops users.
import { $, ask, button, choice, element, field, labelled, notice } from "./page.js";
import { call, desk, post } from "./api.js";
import { audit, canned } from "./lists.js";
import { ROLES, STATES } from "./words.js";

const teams = () => ({ "": "不限", ...desk.me.teams });
export async function people() {
  const admin = desk.me.role === "admin";
  if (!$("people").children.length) $("people").replaceChildren(element("p", "hint", "正在读取…"));
  let items;
  try { items = (await call("/users", { quiet: true })).items; } catch (error) { $("people").replaceChildren(element("p", "wrong", `没能读到人员：${error.message}`)); return; }
  const made = element("table"), head = element("tr");
  head.append(...["用户名", "角色", "班组", "状态", "在手/容量", "操作"].map((name) => { const cell = element("th", "", name); cell.scope = "col"; return cell; }));
  made.append(element("caption", "", "人员"), head, ...items.map((one) => {
    const line = element("tr"), acts = element("td");
    line.append(...[one.username, ROLES[one.role], teams()[one.team || ""] || one.team, one.active ? STATES[one.state] || one.state : "已停用", `${one.load}/${one.capacity}`].map((value) => element("td", "", value)), acts);
    if (admin) acts.append(button("修改", "link", () => change(one)), button(one.active ? "停用" : "启用", "link", () => turn(one)));
    return line;
  }));
  const top = element("div", "head");
  top.append(element("h1", "", "人员"), element("span", "grow"));
  top.append(button("常用语", "quiet", canned));
  if (admin) top.append(button("审计记录", "quiet", audit), button("添加人员", "main", add));
  $("people").replaceChildren(top, made);
}
async function add() {
  const name = field("text", "用户名"), password = field("password", "密码，至少8位"), role = choice(ROLES, "角色"), team = choice(teams(), "班组"), capacity = field("number", "同时处理几张", "3");
  name.minLength = 2;
  password.minLength = 8;
  password.autocomplete = "new-password";
  if (!await ask("添加人员", [labelled("用户名", name), labelled("密码", password), labelled("角色", role), labelled("班组", team), labelled("容量", capacity)], "添加")) return;
  await post("/users", { username: name.value, password: password.value, role: role.value, team: team.value || null, capacity: Number(capacity.value) });
  await people();
}
async function change(one) {
  const role = choice(ROLES, "角色", one.role), team = choice(one.team ? desk.me.teams : teams(), "班组", one.team || ""), capacity = field("number", "同时处理几张", one.capacity), password = field("password", "新密码，不改就留空");
  Object.assign(password, { required: false, minLength: 8, autocomplete: "new-password" });
  if (!await ask(`修改 ${one.username}`, [labelled("角色", role), labelled("班组", team), labelled("容量", capacity), labelled("新密码", password)], "保存")) return;
  const changes = { capacity: Number(capacity.value), team: team.value || null };
  if (role.value !== one.role) changes.role = role.value;
  if (password.value) changes.password = password.value;
  await post(`/users/${encodeURIComponent(one.username)}`, changes);
  notice("已保存。");
  await people();
}
async function turn(one) {
  if (one.active && !await ask(`停用 ${one.username}？`, [element("p", "", "停用后立即退出登录。")], "停用")) return;
  await post(`/users/${encodeURIComponent(one.username)}`, { active: !one.active });
  await people();
}
