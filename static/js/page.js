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

// The name that this browser uses for a zone: Asia/Calcutta and Asia/Kolkata are one.
function zoneName(name) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return name;
  }
}

// Proposes the time zone of the device, once for each zone that the person has not turned down.
function proposeZone(form) {
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const kept = "zone-kept";
  try {
    if (localStorage.getItem(kept) === device) return;
  } catch {
    return; // Without storage it would be asked on every page.
  }
  if (!device || device.startsWith("Etc/") || device === zoneName(form.dataset.zone)) return;
  const words = form.querySelector("[data-zone-words]");
  words.textContent = words.dataset.zoneWords
    .replace("{device}", device.replaceAll("_", " "))
    .replace("{here}", form.dataset.zone.replaceAll("_", " "));
  form.elements.time_zone.value = device;
  form.hidden = false;
  form.querySelector("[data-zone-keep]").addEventListener("click", () => {
    localStorage.setItem(kept, device);
    form.hidden = true;
  });
}

document.querySelectorAll("[data-zone]").forEach(proposeZone);
