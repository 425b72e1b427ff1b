// The API as the page calls it: the login is a cookie, every write carries the CSRF token that /api/me told.
import { notice } from "./page.js";

export const desk = { me: null, ticket: null };
export class Refused extends Error {
  constructor(status, found) {
    super(typeof found.detail === "string" ? found.detail : "操作没有完成");
    this.status = status;
    this.found = found;
  }
}
/** `body` is sent as JSON, a file as it is; `quiet` leaves telling of a refusal to the caller. */
export async function call(path, { method = "GET", body, quiet = false, keepalive = false } = {}) {
  const headers = desk.me ? { "X-CSRF-Token": desk.me.csrf } : {};
  const file = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  let answer;
  try {
    answer = await fetch(`/api${path}`, { method, headers, keepalive, body: body === undefined || file ? body : JSON.stringify(body) });
  } catch {
    if (!quiet) notice("网络断开，操作没有完成，请稍后再试。");
    throw new Refused(0, { detail: "网络断开" });
  }
  if (answer.status === 401 && desk.me) { location.reload(); throw new Refused(401, {}); }
  const found = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Refused(answer.status, found);
    if (!quiet) notice(error.message);
    throw error;
  }
  return found;
}
export const post = (path, body = {}, options = {}) => call(path, { method: "POST", body, ...options });
export const works = () => desk.me.role !== "trainer";
export const leads = () => ["supervisor", "admin"].includes(desk.me.role);
