const root = document.documentElement;

function themeSwitch(holder) {
  const select = holder.querySelector("select");
  select.value = root.dataset.theme ?? "";
  holder.hidden = false;
  select.addEventListener("change", () => {
    if (select.value) root.dataset.theme = select.value;
    else delete root.dataset.theme;
    try {
      if (select.value) localStorage.setItem("theme", select.value);
      else localStorage.removeItem("theme");
    } catch {
      // Without storage the choice holds for this page.
    }
  });
}

function menu(details) {
  document.addEventListener("click", (event) => {
    if (!details.contains(event.target)) details.open = false;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.querySelector("summary").focus();
  });
  details.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !details.contains(event.relatedTarget)) details.open = false;
  });
}

function passwordSwitch(input, words) {
  const box = document.createElement("div");
  box.className = "password";
  input.replaceWith(box);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button--text";
  button.setAttribute("aria-pressed", "false");
  button.textContent = words.dataset.show;
  button.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
  });
  box.append(input, button);
}

document.querySelectorAll("[data-theme-switch]").forEach(themeSwitch);
document.querySelectorAll("[data-menu]").forEach(menu);

const words = document.querySelector("[data-password-words]");
if (words) {
  document.querySelectorAll("input[type=password]").forEach((input) => passwordSwitch(input, words));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-print], [data-fill]");
  if (!button) return;
  if ("print" in button.dataset) {
    window.print();
    return;
  }
  const form = document.querySelector(button.dataset.form);
  for (const [name, value] of Object.entries(JSON.parse(button.dataset.fill))) form.elements[name].value = value;
  form.requestSubmit();
});

// What works with scripts only is hidden until here; the same goes for what htmx puts in later.
function reveal(within) {
  within.querySelectorAll("[data-js]").forEach((element) => {
    element.hidden = false;
  });
}

reveal(document);
document.addEventListener("htmx:load", (event) => reveal(event.target));

document.querySelector("[data-focus]")?.focus();
