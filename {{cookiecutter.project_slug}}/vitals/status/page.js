// Asks for the page again and puts what has changed in its place. Nothing that can hold
// the keyboard's focus lies inside a [data-live] part.
const EVERY_MS = 1000;
const TIMEOUT_MS = 4000;
const live = document.getElementById("live");

function say(text, stale) {
  if (live.textContent !== text) live.textContent = text;
  document.body.classList.toggle("stale", stale);
}

function put(fresh) {
  document.title = fresh.title;
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const here = document.getElementById(part.id);
    if (here.innerHTML !== part.innerHTML) here.replaceChildren(...part.childNodes);
  }
}

let seen = new Date();

async function refresh() {
  try {
    const answer = await fetch(location.pathname, {
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const text = await answer.text();
    const parts = /<title>.*?<\/title>|<main>.*<\/main>/gs; // no style: its nonce is not ours
    put(new DOMParser().parseFromString(text.match(parts).join(""), "text/html"));
    seen = new Date();
    say("Live: renewed every second.", false);
  } catch {
    const at = seen.toISOString().slice(11, 19);
    say(`No answer from this process since ${at} UTC: what stands below is old.`, true);
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, EVERY_MS);
}

document.addEventListener("visibilitychange", () => document.hidden || refresh());
loop();
