// What every part of the page needs: elements, times, the notice line, the question dialog.
export const $ = (id) => document.getElementById(id);
const ZONE = "Asia/Shanghai";

export function element(name, className, content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined && content !== null) made.textContent = content;
  return made;
}
export function button(text, className, act) {
  const made = element("button", className, text);
  made.type = "button";
  made.onclick = act;
  return made;
}
export function option(value, text) {
  const made = element("option", "", text);
  made.value = value;
  return made;
}
export function labelled(text, field) {
  const made = element("label", "", text);
  made.append(field);
  return made;
}
export function area(placeholder, required = true) {
  const made = element("textarea");
  Object.assign(made, { rows: 3, required, placeholder });
  made.setAttribute("aria-label", placeholder);
  return made;
}
export function field(type, placeholder, value = "") {
  const made = element("input");
  Object.assign(made, { type, placeholder, value, required: true });
  made.setAttribute("aria-label", placeholder);
  return made;
}
export function choice(names, label, chosen) {
  const made = element("select");
  made.setAttribute("aria-label", label);
  made.append(...Object.entries(names).map(([value, text]) => option(value, text)));
  if (chosen !== undefined) made.value = chosen;
  return made;
}
/** A table in a frame that scrolls sideways by itself, also by keyboard; cells are texts, numbers or elements. */
export function table(caption, head, rows) {
  const made = element("table"), top = element("tr"), wide = element("div", "wide");
  top.append(...head.map((name) => { const cell = element("th", "", name); cell.scope = "col"; return cell; }));
  made.append(element("caption", "", caption), top, ...rows.map((cells) => { const line = element("tr"); line.append(...cells.map((value) => { const cell = element("td"); cell.append(value ?? ""); return cell; })); return line; }));
  Object.assign(wide, { tabIndex: 0, role: "region", ariaLabel: caption });
  wide.append(made);
  return wide;
}
export function time(at) {
  return new Date(at).toLocaleString("zh-CN", { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", timeZone: ZONE });
}
export function span(seconds) {
  const minutes = Math.abs(seconds) / 60;
  return minutes < 60 ? `${Math.ceil(minutes)}分` : minutes < 2880 ? `${Math.round(minutes / 60)}时` : `${Math.round(minutes / 1440)}天`;
}
/** A line at the bottom; `act` adds a button to it that lasts as long as the line. */
export function notice(text, label, act, seconds = 6) {
  const line = $("notice");
  line.replaceChildren(element("span", "", text));
  if (act) line.append(button(label, "quiet", () => { line.hidden = true; act(); }));
  line.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { line.hidden = true; }, seconds * 1000);
}
/** Asks with these fields; true when it was agreed to. */
export function ask(title, fields, agree = "确定") {
  return new Promise((answer) => {
    $("ask-title").textContent = title;
    $("ask-fields").replaceChildren(...fields);
    $("ask-agree").textContent = agree;
    $("ask").onclose = () => answer($("ask").returnValue === "ok");
    $("ask").returnValue = "";
    $("ask").showModal();
  });
}
/** Enter and the other keys belong to the input method while it composes. */
export function composing(event) {
  return event.isComposing || event.keyCode === 229;
}
