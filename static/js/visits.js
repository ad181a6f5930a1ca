// One key for what is one tap: days by arrows, visits by j and k, today by t, week by w, day by d.
const visits = [...document.querySelectorAll(".time-line__who")];

function step(by) {
  const here = visits.indexOf(document.activeElement);
  const next = here < 0 ? (by > 0 ? 0 : visits.length - 1) : here + by;
  visits[Math.max(0, Math.min(visits.length - 1, next))]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
});
