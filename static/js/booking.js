// How long a time is still kept, in words. The server said how many seconds are left; it alone decides.

function countdown(box) {
  const ends = Date.now() + Number(box.dataset.countdown) * 1000;
  const left = box.querySelector("[data-countdown-left]");
  const running = box.querySelector("[data-countdown-running]");
  const over = box.querySelector("[data-countdown-over]");
  const said = box.querySelector("[data-countdown-said]");

  function words(seconds) {
    if (seconds <= 60) return left.dataset.seconds.replace("{seconds}", seconds);
    const minutes = Math.ceil(seconds / 60);
    return minutes === 1 ? left.dataset.one : left.dataset.many.replace("{minutes}", minutes);
  }

  function tell() {
    const seconds = Math.ceil((ends - Date.now()) / 1000);
    if (seconds <= 0) {
      running.hidden = true;
      over.hidden = false;
      said.textContent = over.textContent.trim();
      return;
    }
    left.textContent = words(seconds);
    if (seconds <= 60) said.textContent = said.dataset.soon;
    setTimeout(tell, 1000);
  }

  tell();
}

document.querySelectorAll("[data-countdown]").forEach(countdown);
