// Reads the page again while the run goes on. The choice to pause stays across readings.
"use strict";
(() => {
  const { status, every, written } = document.documentElement.dataset;
  const button = document.getElementById("pause"), age = document.getElementById("age");
  const key = "wengert-live-paused";
  const recall = () => { try { return sessionStorage.getItem(key) === "1"; } catch { return false; } };
  const keep = (on) => { try { sessionStorage.setItem(key, on ? "1" : "0"); } catch { /* no storage: this page only */ } };
  if (status !== "running") return;
  let paused = recall();
  const show = () => {
    button.textContent = paused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(paused));
  };
  button.hidden = false;
  button.addEventListener("click", () => { paused = !paused; keep(paused); show(); });
  show();
  setInterval(() => { if (!paused && !document.hidden) location.reload(); }, 1000 * every);
  const tell = () => {
    const seconds = Math.round(Date.now() / 1000 - written);
    age.textContent = seconds > 5 * every + 10 ? `· no news for ${seconds} s: has it ended?` : "";
  };
  tell();
  setInterval(tell, 1000);
})();
