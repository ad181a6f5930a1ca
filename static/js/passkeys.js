// Connects allauth's passkey scripts with the forms of the page, and says so when a passkey is not to be had.
(() => {
  const holder = document.querySelector("[data-passkey]");
  if (!holder) return;
  const said = document.querySelector("[data-passkey-said]");
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    said.textContent = window.PublicKeyCredential ? said.dataset.failed : said.dataset.missing;
  });
  window.allauth.webauthn.forms[holder.dataset.passkey]({ ids: JSON.parse(holder.dataset.passkeyIds) });
})();
