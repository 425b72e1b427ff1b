// Lists in a dialog: canned replies to edit, the audit trail, my logins.
import { $, area, ask, button, element, field, labelled, notice, time } from "./page.js";
import { call, desk, post } from "./api.js";

/** A dialog over a list that `draw` fills, and fills again after each change. */
async function listed(title, draw) {
  const box = element("div", "lines");
  box.append(element("p", "hint", "正在读取…"));
  const again = () => draw(box, again).catch((error) => box.replaceChildren(element("p", "wrong", `没能读到：${error.message}`)));
  const closed = ask(title, [box], "关闭");
  await again();
  return closed;
}
function row(text, ...acts) {
  const made = element("p", "item");
  made.append(element("span", "grow", text), ...acts);
  return made;
}
export const canned = () => listed("常用语", async (box, again) => {
  const { items } = await call("/canned", { quiet: true });
  const title = field("text", "标题"), text = area("内容，{变量} 会按工单填写", false);
  title.required = false;
  const save = button("保存", "main", async () => {
    if (!title.value.trim() || !text.value.trim()) return notice("请写标题和内容。");
    await post("/canned", { title: title.value.trim(), text: text.value.trim() });
    notice("已保存。");
    again();
  });
  box.replaceChildren(...items.map((one) => row(`${one.title}：${one.text}`,
    button("修改", "link", () => { title.value = one.title; text.value = one.text; text.focus(); }),
    button("删除", "link", async () => { await call(`/canned/${one.id}`, { method: "DELETE" }); again(); }))),
  ...(items.length ? [] : [element("p", "hint", "还没有常用语。")]), labelled("标题（同名的会被替换）", title), labelled("内容", text), save);
});
export const audit = () => listed("审计记录", async (box) => {
  const check = button("校验", "quiet", async () => {
    const found = await call("/audit/verify");
    notice(found.whole ? "审计记录完整。" : `审计记录从第${found.wrong}行起被改动过。`);
  });
  const more = button("再看100条", "quiet more", () => page());
  let before = null;
  async function page() {
    const found = await call(`/audit?limit=100${before ? `&before=${before}` : ""}`, { quiet: true });
    for (const one of found.items) more.before(row(`${time(one.at)} ${one.actor} ${one.action} ${one.target}`));
    before = found.next_cursor;
    more.hidden = !before;
  }
  box.replaceChildren(check, more);
  await page();
});
export const logins = () => listed(`${desk.me.username} 的登录`, async (box, again) => {
  const { items } = await call("/logins", { quiet: true });
  box.replaceChildren(...items.map((one) => row(`${time(one.created_at)} 从 ${one.address || "未知地址"}，${time(one.expires_at)}到期`,
    one.current ? element("span", "small", "这一次") : button("退出它", "link", async () => { await call(`/logins/${one.id}`, { method: "DELETE" }); notice("已退出。"); again(); }))));
});
