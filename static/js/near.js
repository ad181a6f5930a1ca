// "Use where I am": the browser's position goes into the form, rounded to about a kilometre before it is sent.

const form = document.querySelector("[data-near-form]");
const button = form.querySelector("[data-near]");
const status = form.querySelector("[data-near-status]");
const latitude = form.elements.namedItem("latitude");
const longitude = form.elements.namedItem("longitude");

function coarse(text) {
  const degrees = Number(text.trim().replace(",", "."));
  return text.trim() && Number.isFinite(degrees) ? degrees.toFixed(2) : text;
}

// What somebody typed exactly is rounded as well, and empty answers stay out of the address.
form.addEventListener("submit", () => {
  for (const field of [latitude, longitude]) field.value = coarse(field.value);
  for (const field of form.querySelectorAll("input, select")) field.disabled = !field.value;
});

// A page that comes back from the browser's memory has its fields again.
addEventListener("pageshow", () => {
  for (const field of form.querySelectorAll("input, select")) field.disabled = false;
});

function found({ coords }) {
  latitude.value = coords.latitude.toFixed(2);
  longitude.value = coords.longitude.toFixed(2);
  form.requestSubmit();
}

function denied() {
  status.textContent = button.dataset.denied;
  button.disabled = false;
  latitude.focus();
}

if (navigator.geolocation) {
  button.hidden = false;
  button.addEventListener("click", () => {
    status.textContent = button.dataset.asking;
    button.disabled = true;
    navigator.geolocation.getCurrentPosition(found, denied, { timeout: 10_000, maximumAge: 600_000 });
  });
}
