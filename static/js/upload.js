// The form works without this file. Here: preview, a check before sending, drag and drop, real progress.

const READABLE = ["image/jpeg", "image/png", "image/webp"];
const TAKEN = /\.(jpe?g|png|webp|hei[cf])$/i;
const SAMPLE_SIDE = 512; // px, what the sharpness and light checks look at
// Chosen on dermatoscopic pictures: they flag what a person sees at a glance, and few others.
const BLURRED_BELOW = 3.5;
const DARK_BELOW = 45;
const BRIGHT_ABOVE = 235;

const form = document.querySelector("form[data-upload]");
const words = form.querySelector("[data-words]").dataset;
const part = (name) => form.querySelector(`[data-${name}]`);
const [image, camera] = [form.elements.image, form.elements.camera];
const drop = part("drop");
const preview = part("preview");
const sendButton = part("send");
let chosen = null;
let address = null;

const bytes = (size) => (size < 1e6 ? `${Math.ceil(size / 1024)} KB` : `${(size / 2 ** 20).toFixed(1)} MB`);
const isTaken = (file) => TAKEN.test(file.name) || READABLE.includes(file.type) || /hei[cf]$/.test(file.type);

function showError(name, sentence) {
  const place = form.querySelector(`[data-errors="${name}"]`);
  place.replaceChildren();
  drop.classList.toggle("is-wrong", name === "image" && Boolean(sentence));
  if (!sentence) return;
  const list = document.createElement("ul");
  list.className = "errorlist";
  list.setAttribute("role", "alert");
  const item = document.createElement("li");
  item.textContent = sentence;
  list.append(item);
  place.append(list);
}

function addCheck(sentence, care) {
  const item = document.createElement("li");
  if (care) item.className = "is-care";
  item.textContent = sentence;
  part("preview-checks").append(item);
}

// Mean brightness, and the variance of the Laplacian as a measure of sharpness, on a grey copy.
function measure(picture) {
  const scale = Math.min(1, SAMPLE_SIDE / Math.max(picture.width, picture.height));
  const [w, h] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, w, h);
  const { data } = context.getImageData(0, 0, w, h);
  const grey = new Float32Array(w * h);
  let sum = 0;
  for (let i = 0; i < grey.length; i += 1) {
    grey[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
    sum += grey[i];
  }
  let [total, squares, count] = [0, 0, 0];
  for (let y = 1; y < h - 1; y += 1) {
    for (let x = 1; x < w - 1; x += 1) {
      const i = y * w + x;
      const edge = grey[i - 1] + grey[i + 1] + grey[i - w] + grey[i + w] - 4 * grey[i];
      total += edge;
      squares += edge * edge;
      count += 1;
    }
  }
  return { light: sum / grey.length, sharpness: squares / count - (total / count) ** 2 };
}

function refusal(file) {
  if (file.size === 0) return words.empty;
  if (file.size > Number(form.dataset.limit)) return words.large;
  if (!isTaken(file)) return words.kind;
  return "";
}

function sizeRefusal({ width, height }) {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (long > short * Number(form.dataset.maxRatio)) return words.narrow;
  if (short < Number(form.dataset.minSide)) return words.small;
  return "";
}

function forget() {
  chosen = null;
  image.value = "";
  camera.value = "";
  preview.hidden = true;
  drop.hidden = false;
  if (address) URL.revokeObjectURL(address);
  address = null;
}

function refuse(sentence) {
  forget();
  showError("image", sentence);
}

async function choose(file) {
  if (!file) return;
  const sentence = refusal(file);
  if (sentence) {
    refuse(sentence);
    return;
  }
  showError("image", "");
  chosen = file;
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(file);
  part("preview-name").textContent = file.name;
  part("preview-size").textContent = bytes(file.size);
  part("preview-checks").replaceChildren();
  drop.hidden = true;
  preview.hidden = false;
  const picture = Object.assign(new Image(), { src: address, alt: words.alt });
  try {
    await picture.decode();
  } catch {
    const none = document.createElement("p");
    none.className = "preview__none";
    none.textContent = words.noPreview;
    part("preview-picture").replaceChildren(none);
    return;
  }
  if (chosen !== file) return;
  const wrong = sizeRefusal({ width: picture.naturalWidth, height: picture.naturalHeight });
  if (wrong) {
    refuse(wrong);
    return;
  }
  part("preview-picture").replaceChildren(picture);
  part("preview-size").textContent = `${picture.naturalWidth} × ${picture.naturalHeight} ${words.pixels}, ${bytes(file.size)}`;
  const { light, sharpness } = measure(picture);
  addCheck(words.fine, false);
  if (light < DARK_BELOW) addCheck(words.dark, true);
  if (light > BRIGHT_ABOVE) addCheck(words.bright, true);
  if (sharpness < BLURRED_BELOW) addCheck(words.blurred, true);
}

for (const input of [image, camera]) {
  input.addEventListener("change", () => {
    const other = input === image ? camera : image;
    if (input.files.length) other.value = "";
    choose(input.files[0]);
  });
}

part("again").addEventListener("click", () => {
  const touch = matchMedia("(pointer: coarse)").matches;
  forget();
  (touch ? camera : image).focus();
});

for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.add("is-over");
  });
}
for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("is-over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer.files[0]);
});

// Put the server's sentences into this page: the picture and the answers stay where they are.
function showAnswer(page) {
  const summary = page.getElementById("form-errors");
  if (!summary) {
    document.location.reload();
    return;
  }
  document.getElementById("form-errors").replaceWith(summary);
  for (const place of form.querySelectorAll("[data-errors]")) {
    const same = page.querySelector(`[data-errors="${place.dataset.errors}"]`);
    place.replaceChildren(...(same?.childNodes ?? []));
  }
  for (const field of form.elements) {
    const same = field.id && page.getElementById(field.id);
    for (const name of ["aria-invalid", "aria-describedby"]) {
      if (same && same.hasAttribute(name)) field.setAttribute(name, same.getAttribute(name));
      else field.removeAttribute(name);
    }
    // A consent to a text that has changed is asked for again.
    if (same && field.type === "checkbox") field.checked = same.checked;
  }
  drop.classList.toggle("is-wrong", Boolean(form.querySelector('[data-errors="image"] li')));
  if (form.querySelector('[data-errors="image"] li')) forget();
  summary.focus();
}

function sending(on) {
  part("sending").hidden = !on;
  sendButton.disabled = on;
}

function progress(loaded, total) {
  const percent = Math.round((100 * loaded) / total);
  form.querySelector("progress").value = percent;
  part("sending-text").textContent =
    percent < 100 ? words.sending.replace("%(percent)s", percent).replace("%%", "%") : words.checking;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sendButton.disabled) return;
  const data = new FormData(form);
  data.delete("camera");
  data.delete("image");
  if (chosen) data.append("image", chosen, chosen.name);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "document";
  request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
  request.upload.addEventListener("progress", ({ loaded, total }) => progress(loaded, total));
  request.addEventListener("load", () => {
    if (request.status < 300) {
      // 200 is another page, such as the one to sign in again.
      document.location.assign(request.getResponseHeader("Location") ?? request.responseURL);
      return;
    }
    sending(false);
    if (request.status === 422) showAnswer(request.response);
    else showError("image", request.status === 429 ? words.often : words.offline);
  });
  for (const type of ["error", "timeout", "abort"]) {
    request.addEventListener(type, () => {
      sending(false);
      showError("image", words.offline);
    });
  }
  progress(0, 1);
  sending(true);
  request.send(data);
});

// Coming back with the browser's back button finds the form ready again.
window.addEventListener("pageshow", () => sending(false));

if (image.files.length || camera.files.length) choose(image.files[0] ?? camera.files[0]);
