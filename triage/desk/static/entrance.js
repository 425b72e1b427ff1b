// Logging in and out, the same on every page of the desk.
import { $ } from "./page.js";
import { call, desk, post } from "./api.js";

/** Runs `open` once somebody is logged in; `refusal` may say why this user does not belong here. */
export function entrance(open, refusal = () => "") {
  async function enter() {
    desk.me = await call("/me", { quiet: true });
    const why = refusal(desk.me);
    if (why) { desk.me = null; throw new Error(why); }
    $("entrance").hidden = true;
    $("desk").hidden = false;
    $("me").textContent = desk.me.username;
    await open();
  }
  function refuse(error) {
    if (desk.me) throw error;
    $("entrance").hidden = false;
    $("refused").textContent = error.status === 401 ? "" : error.message;
    $("username").focus();
  }
  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("refused").textContent = "";
    try {
      await post("/login", { username: $("username").value, password: $("password").value }, { quiet: true });
    } catch (error) { $("refused").textContent = error.message; return; }
    enter().catch(refuse);
  });
  enter().catch(refuse);
}
export async function leave() {
  await post("/logout").catch(() => {});
  location.reload();
}
