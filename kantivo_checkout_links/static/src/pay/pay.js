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

/* The browser's own storage; blocked where it takes no cookies either. */
function recall(path) {
    try {
        return localStorage.getItem(path);
    } catch {
        return null;
    }
}

function keep(path, nonce) {
    try {
        localStorage.setItem(path, nonce);
    } catch {
        // Comfort only.
    }
}

/* Leads a payer who opens the link once more to the payment that they have started. */
function resume({resume: state, path}) {
    const nonce = recall(path);
    if (state === "refused") {
        keep(path, "");
    } else if (state === "ask" && nonce) {
        const query = new URLSearchParams(location.search);
        query.set("resume", nonce);
        location.replace(`${path}?${query}`);
    }
}

function watchForm(form) {
    form.addEventListener("submit", () => {
        keep(new URL(form.action).pathname, form.dataset.resume ?? "");
        setBusy(form, true);
        // The payer may have stopped the loading: give the button back.
        setTimeout(() => setBusy(form, false), BUSY_AT_MOST_MS);
    });
    // The back button may show the page as it was left: busy.
    window.addEventListener("pageshow", () => setBusy(form, false));
}

/* The button says how much is paid, as the payer types it. */
function labelAmount(label) {
    const input = document.querySelector("#amount");
    const plain = label.textContent;
    const update = () => {
        const typed = input.value.trim();
        const isAmount = /^\p{Nd}[\p{Nd}.,٫٬'’\s]*$/u.test(typed);
        label.textContent = isAmount ? label.dataset.amount.replace("…", () => typed) : plain;
    };
    input.addEventListener("input", () => {
        // Only where the style sheet can't hide the field while an amount is chosen.
        document.querySelector("#choice-own")?.click();
        update();
    });
    // The browser may have put back what was typed before.
    window.addEventListener("pageshow", update);
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
document.querySelectorAll("[data-amount]").forEach(labelAmount);
for (const time of document.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString(
        document.documentElement.lang,
        {hour: "2-digit", minute: "2-digit", hourCycle: "h23"}
    );
}
const main = document.querySelector("main");
if (main.dataset.resume) {
    resume(main.dataset);
}
const pollSeconds = Number(main.dataset.pollSeconds);
if (pollSeconds) {
    poll(pollSeconds);
}
