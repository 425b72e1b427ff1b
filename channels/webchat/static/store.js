// What outlasts a reload. A frame on a foreign page may be denied storage: then things last as long as the page.
const texts = (() => {
  try { window.localStorage.setItem("dq.probe", "1"); return window.localStorage; } catch { /* denied */ }
  const kept = new Map();
  return {
    get length() { return kept.size; }, key: (place) => [...kept.keys()][place],
    getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, String(value)), removeItem: (name) => kept.delete(name),
  };
})();
const held = new Map();

export const get = (name) => texts.getItem(name);
export function set(name, value) { try { texts.setItem(name, value); } catch { /* full: it lasts as long as the page */ } }
export const remove = (name) => texts.removeItem(name);
export function names(start) {
  return Array.from({ length: texts.length }, (_, place) => texts.key(place)).filter((name) => name.startsWith(start)).sort();
}

function files(mode, use) {
  return new Promise((done, failed) => {
    const opening = indexedDB.open("dianqiao", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("files");
    opening.onerror = () => failed(opening.error);
    opening.onsuccess = () => {
      const change = opening.result.transaction("files", mode), asked = use(change.objectStore("files"));
      change.oncomplete = () => { opening.result.close(); done(asked.result); };
      change.onerror = change.onabort = () => failed(change.error);
    };
  });
}
export async function keepFile(id, blob) {
  held.set(id, blob);
  try { await files("readwrite", (all) => all.put(blob, id)); } catch { /* denied */ }
}
export async function file(id) {
  if (held.has(id)) return held.get(id);
  try { return await files("readonly", (all) => all.get(id)); } catch { return undefined; }
}
export async function dropFile(id) {
  held.delete(id);
  try { await files("readwrite", (all) => all.delete(id)); } catch { /* denied */ }
}
