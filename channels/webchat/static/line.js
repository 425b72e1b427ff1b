// The line to the service. What is said is kept until the service has it, and goes one at a time, in order;
// what comes is given once, by seq. A WebSocket where the network lets it through, otherwise long polling.
import * as store from "./store.js";

const SOCKET_WITHIN = 6000, ACK_WITHIN = 10000, POLL_FOR = 300000, WAIT = 25, BLOCKED = 2, BLOCKED_NOW = 4, IDENTITY_FOR = 3600000, FIRST_PAUSE = 250, LONGEST_PAUSE = 8000, TOO_FAST = 5000;
const NO_IDENTITY = 4401;
const pause = (time) => new Promise((done) => setTimeout(done, time));

export class Line extends EventTarget {
  constructor() {
    super();
    this.last = 0;
    this.unsent = new Map();
    for (const name of store.names("dq.unsent.")) {
      const item = JSON.parse(store.get(name));
      this.unsent.set(item.id, { ...item, name });
    }
    this.online = false;
    this._token = store.get("dq.token");
    this._socket = null;
    this._flying = null;
    this._blocked = 0;
    this._let = false;
    this._pollUntil = 0;
    this._pause = FIRST_PAUSE;
    this._state = "?";
    this._identified = 0;
  }

  /** Start; never returns. */
  async open() {
    addEventListener("online", () => { this._wake?.(); this._look(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this._look(); });
    for (;;) {
      try {
        await this._identify();
        if (Date.now() < this._pollUntil) await this._poll();
        else if (!await this._talk()) await this._suspect();
      } catch { /* the network is gone or refuses */ }
      this._offline();
      // anywhere in the pause: after a restart of the service not all come back in one instant, and half of them sooner
      await Promise.race([pause(this._pause * Math.random()), new Promise((done) => { this._wake = done; })]);
      this._pause = Math.min(this._pause * 2, LONGEST_PAUSE);
    }
  }

  /** Say something: kept at once, sent when its turn comes. `blob` is the content of a file. */
  async say(frame, title, blob) {
    const id = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
    const name = `dq.unsent.${String(Date.now()).padStart(15, "0")}.${String(this._said = (this._said || 0) + 1).padStart(6, "0")}.${id}`;
    const item = { id, frame, title, name };
    this.unsent.set(id, item);
    this._give("pending", item);
    if (blob) await store.keepFile(id, blob);
    store.set(name, JSON.stringify({ id, frame, title }));
    this._next();
  }

  /** Try a refused message again. */
  again(id) { delete this.unsent.get(id).refused; this._next(); }

  /** The customer is typing; nobody minds if this is lost. */
  typing() { if (this._socket?.readyState === WebSocket.OPEN) this._socket.send('{"type":"typing"}'); }

  _give(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  _url(path, values) { return `${path}?${new URLSearchParams({ token: this._token, ...values })}`; }

  async _identify() {
    if (Date.now() - this._identified < IDENTITY_FOR) return;
    const answer = await fetch("/chat/session", { method: "POST", body: this._token ? JSON.stringify({ token: this._token }) : "" });
    if (!answer.ok) throw new Error(answer.status);
    const found = await answer.json();
    if (found.new && this._token) { this.last = 0; this._give("forgotten"); }
    this._token = found.token;
    this._identified = Date.now();
    store.set("dq.token", this._token);
  }

  _ready() {
    this._pause = FIRST_PAUSE;
    this.online = true;
    this._flying = null;
    this._give("online");
    this._next();
  }

  _offline() {
    clearTimeout(this._timer);
    this.online = false;
    this._socket = this._flying = null;
    this._give("offline");
  }

  _talk() {
    return new Promise((done) => {
      const socket = new WebSocket(this._url(`${location.origin.replace(/^http/, "ws")}/chat/ws`, { after: this.last }));
      const slow = setTimeout(() => socket.close(), SOCKET_WITHIN);
      let opened = false;
      socket.onopen = () => { opened = this._let = true; clearTimeout(slow); this._blocked = 0; this._socket = socket; this._ready(); };
      socket.onmessage = (event) => { if (!this._take(JSON.parse(event.data))) socket.close(); };
      socket.onclose = ({ code }) => {
        clearTimeout(slow);
        if (code === NO_IDENTITY) this._identified = 0;
        socket.onmessage = null;
        done(opened);
      };
    });
  }

  /** A socket did not open: if the service answers otherwise, something on the way blocks sockets.
   *  Where one was let through before, the network more likely broke while this one opened. */
  async _suspect() {
    await this._fetch(0);
    if (++this._blocked < (this._let ? BLOCKED_NOW : BLOCKED)) return;
    this._blocked = 0;
    this._pollUntil = Date.now() + POLL_FOR;
    this._pause = 50;
  }

  async _poll() {
    this._ready();
    while (Date.now() < this._pollUntil) await this._fetch(WAIT);
  }

  async _fetch(wait) {
    const answer = await fetch(this._url("/chat/messages", { after: this.last, wait, state: this._state }));
    if (answer.status === 401) this._identified = 0;
    if (!answer.ok) throw new Error(answer.status);
    for (const frame of (await answer.json()).messages) this._take(frame);
  }

  /** A socket may be dead without knowing: ask once, and start anew if it missed something. */
  async _look() {
    if (!this._socket) return;
    const socket = this._socket, known = this.last;
    try { await this._fetch(0); } catch { socket.close(); return; }
    if (this.last > known) socket.close();
  }

  /** One frame from the service; false if a message is missing before it. */
  _take(frame) {
    if (frame.type === "message") {
      if (frame.seq > this.last + 1) return false;
      if (frame.seq <= this.last) return true;
      this.last = frame.seq;
      if (this.unsent.has(frame.id)) this._acked(frame);
    } else if (frame.type === "owner") this._state = frame.position === null ? frame.owner : `${frame.owner}:${frame.position}`;
    else if (frame.type === "ack") this._acked(frame);
    else if (frame.type === "error") this._refused(frame);
    this._give(frame.type, frame);
    return true;
  }

  _acked({ id }) {
    const item = this.unsent.get(id);
    if (item) {
      this.unsent.delete(id);
      store.remove(item.name);
      if (item.frame.type === "file") store.dropFile(id);
    }
    if (this._flying === id) this._landed();
  }

  _refused(frame) {
    const item = this.unsent.get(frame.id || this._flying);
    if (!item) return;
    if (frame.code === "too_fast") { clearTimeout(this._timer); this._timer = setTimeout(() => this._landed(), TOO_FAST); return; }
    item.refused = frame.text;
    this._give("refused", item);
    this._landed();
  }

  _landed() {
    clearTimeout(this._timer);
    this._flying = null;
    this._next();
  }

  async _next() {
    if (!this.online || this._flying) return;
    const item = [...this.unsent.values()].find((one) => !one.refused);
    if (!item) return;
    this._flying = item.id;
    const socket = this._socket;
    if (socket && item.frame.type !== "file") {
      this._timer = setTimeout(() => socket.close(), ACK_WITHIN);
      socket.send(JSON.stringify({ ...item.frame, id: item.id }));
      return;
    }
    try {
      const answer = item.frame.type === "file" ? await this._upload(item) : await fetch(this._url("/chat/messages", {}), { method: "POST", body: JSON.stringify({ ...item.frame, id: item.id }) });
      this._take({ id: item.id, ...(await answer.json()) });
    } catch {
      setTimeout(() => { if (this._flying === item.id) this._landed(); }, 1000);
    }
  }

  async _upload({ id, frame, title }) {
    const blob = await store.file(id);
    if (!blob) return Response.json({ type: "error", code: "lost", text: "文件已不在这台设备上，请重新选择。" });
    return fetch(this._url("/chat/files", { id, name: frame.name || title }), { method: "POST", body: blob });
  }
}
