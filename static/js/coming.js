// What changes by itself on a page about a coming visit: how long it is until then, and the room that opens.
// The server said how many seconds are left; it alone decides what is open.
const EVERY = 10_000;
const HOUR = 60;
const DAY = 24 * HOUR;

function amount(count, unit) {
  const options = { style: "unit", unit, unitDisplay: "long" };
  return new Intl.NumberFormat(document.documentElement.lang, options).format(count);
}

function duration(minutes) {
  const [hours, rest] = [Math.floor(minutes / HOUR), minutes % HOUR];
  if (!hours) return amount(rest, "minute");
  return amount(hours, "hour") + (rest ? `, ${amount(rest, "minute")}` : "");
}

// Further away than a day the words that came with the page are right for long enough.
function countdown(box) {
  const loaded = Date.now();
  const { begins, ends } = box.dataset;

  function say(words) {
    if (box.textContent !== words) box.textContent = words;
  }

  function tell() {
    const gone = (Date.now() - loaded) / 1000;
    const until = Math.floor((begins - gone) / 60);
    const since = Math.floor((gone - ends) / 60);
    if (until >= DAY || since >= DAY) return;
    if (since >= HOUR) say(box.dataset.ago.replace("{time}", amount(Math.floor(since / HOUR), "hour")));
    else if (since >= 0) say(box.dataset.ago.replace("{time}", duration(since)));
    else if (gone >= begins) say(box.dataset.now);
    else if (until < 1) say(box.dataset.soon);
    else say(box.dataset.in.replace("{time}", duration(until)));
  }

  setInterval(tell, EVERY);
}

// Asked for once, when it should be open; the reader's place on the page and what is being written stay.
function room(box) {
  let opens = Date.now() + box.dataset.opens * 1000;
  box.querySelector("[data-without-js]").hidden = true;

  async function look() {
    if (Date.now() < opens) return;
    opens = Date.now() + EVERY;
    const answer = await fetch(box.dataset.room).catch(() => null);
    if (!answer) return; // without a connection: again in a moment
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("[data-room]");
    if (found?.dataset.opens) return; // the server's clock is behind
    clearInterval(timer);
    if (found) box.replaceChildren(...found.childNodes); // else signed out, or called off
  }

  const timer = setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
}

document.querySelectorAll("[data-begins]").forEach(countdown);
document.querySelectorAll("[data-room][data-opens]").forEach(room);
