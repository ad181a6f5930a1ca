// Fills in where the browser is, to about a kilometre: more than that never leaves the device.
const holder = document.querySelector("[data-place]");
const said = holder?.querySelector("[data-place-said]");

holder?.querySelector("[data-place-find]").addEventListener("click", () => {
  const refused = () => {
    said.textContent = said.dataset.refused;
  };
  if (!navigator.geolocation) {
    refused();
    return;
  }
  navigator.geolocation.getCurrentPosition(({ coords }) => {
    holder.querySelector("[name=latitude]").value = coords.latitude.toFixed(2);
    holder.querySelector("[name=longitude]").value = coords.longitude.toFixed(2);
    said.textContent = said.dataset.found;
  }, refused);
});
