/* Comfort only: every page works without this file. */
"use strict";

const BUSY_AT_MOST_MS = 30000;
const LONGEST_POLL_S = 60;
const POLLS_BEFORE_SLOWING = 6;

function setBusy(form, busy) {
    form.querySelector("button").disabled = busy;
    form.querySelector(".label-ready").hidden = busy;
    form.querySelector(".label-busy").hidden = !busy;
    // Its own live region: a disabled button's new label is not read out.
    form.querySelector("[role=status]").textContent = busy
        ? form.querySelector(".label-busy").textContent
        : "";
}

function watchForm(form) {
    form.addEventListener("submit", () => {
        setBusy(form, true);
        // The payer may have stopped the loading: give the button back.
        setTimeout(() => setBusy(form, false), BUSY_AT_MOST_MS);
    });
    // The back button may show the page as it was left: busy.
    window.addEventListener("pageshow", () => setBusy(form, false));
}

/* Reloads, ever more slowly, while the tab is looked at. */
function poll(seconds) {
    const polls = window.history.state?.polls ?? 0;
    const slower = 2 ** Math.floor(polls / POLLS_BEFORE_SLOWING);
    const wait = Math.min(seconds * slower, Math.max(seconds, LONGEST_POLL_S));
    const reload = () => {
        if (document.hidden) {
            document.addEventListener("visibilitychange", reload, {once: true});
            return;
        }
        window.history.replaceState({polls: polls + 1}, "");
        window.location.reload();
    };
    setTimeout(reload, wait * 1000);
}

document.querySelectorAll("form").forEach(watchForm);
const pollSeconds = Number(document.querySelector("main").dataset.pollSeconds);
if (pollSeconds) {
    poll(pollSeconds);
}
