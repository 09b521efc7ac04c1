// The language that is read, the search, and animations that can be stopped. Without this file the pages show both
// languages and play their animations.
"use strict";

const LANGUAGES = ["ja", "en", "both"];

function remembered() {
  try { return localStorage.getItem("language"); } catch { return null; }  // a browser may forbid it
}

function firstLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  const found = [asked, remembered()].find((language) => LANGUAGES.includes(language));
  return found ?? ((navigator.language || "").startsWith("ja") ? "ja" : "en");
}

function show(language) {
  const page = document.documentElement;
  page.dataset.language = language;
  page.lang = language === "en" ? "en" : "ja";
  try { localStorage.setItem("language", language); } catch { /* then the address alone tells it */ }
}

show(firstLanguage());  // before the page is drawn

function startSwitch() {
  for (const button of document.querySelectorAll(".languages input")) {
    button.checked = button.value === document.documentElement.dataset.language;
    button.addEventListener("change", () => {
      show(button.value);
      const address = new URL(location.href);
      address.searchParams.set("lang", button.value);
      history.replaceState(null, "", address);
    });
  }
}

// All words of a query must stand in a cell or in the heading above it. A Japanese text has no spaces to find its words
// by, so any piece of text is found.
function startSearch() {
  const search = document.querySelector("details.search"), input = search.querySelector("input");
  const list = search.querySelector("ol"), most = 30;
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  let cells = null;
  const find = () => {
    const words = plain(input.value).split(/\s+/).filter(Boolean), reading = document.documentElement.dataset.language;
    list.replaceChildren();
    if (!cells || !words.length) return;
    const found = cells.filter((cell) => (reading === "both" || !cell.language || cell.language === reading)
      && words.every((word) => cell.plain.includes(word)));
    const inHeading = (cell) => words.every((word) => cell.plainHeading.includes(word));
    found.sort((a, b) => inHeading(b) - inHeading(a));
    for (const cell of found.slice(0, most)) list.append(result(cell, words[0]));
    if (found.length !== 0 && found.length <= most) return;
    list.append(Object.assign(document.createElement("li"), { textContent: found.length ? `… ${found.length}` : "0" }));
  };
  const result = (cell, word) => {
    const item = document.createElement("li"), link = document.createElement("a"), mark = document.createElement("mark");
    const start = cell.words.toLowerCase().indexOf(word);
    link.href = `${cell.page}#${cell.id}`;
    link.textContent = `${cell.page.slice(0, 2)} ${cell.heading}`;
    item.append(link, document.createElement("br"));
    if (start < 0) { item.append(cell.words.slice(0, 90)); return item; }
    mark.textContent = cell.words.slice(start, start + word.length);
    item.append(cell.words.slice(Math.max(0, start - 30), start), mark, cell.words.slice(start + word.length, start + 70));
    return item;
  };
  search.addEventListener("toggle", async () => {
    if (!search.open) return;
    input.focus();
    cells ??= (await (await fetch("search.json")).json()).map(([page, id, language, heading, words]) => (
      { page, id, language, heading, words, plain: plain(`${heading} ${words}`), plainHeading: plain(heading) }));
    find();
  });
  input.addEventListener("input", find);
}

// An animation is a picture like any other; to stop it, its first image is drawn over it.
function startAnimations() {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const picture of document.querySelectorAll('img[src$=".gif"]')) {
    const frame = Object.assign(document.createElement("span"), { className: "animation" });
    const button = Object.assign(document.createElement("button"), { type: "button" });
    picture.replaceWith(frame);
    frame.append(picture, button);
    let canvas = null;
    const play = () => {
      canvas?.remove();
      canvas = null;
      picture.hidden = false;
      button.textContent = "❚❚ 止める / stop";
    };
    const stop = () => {
      canvas = Object.assign(document.createElement("canvas"), { width: picture.naturalWidth, height: picture.naturalHeight });
      canvas.className = "stopped";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", picture.alt);
      canvas.style.width = `${picture.clientWidth || picture.width}px`;
      canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.hidden = true;
      frame.prepend(canvas);
      button.textContent = "▶ 動かす / play";
    };
    button.addEventListener("click", () => (canvas ? play() : stop()));
    play();
    if (still) picture.complete ? stop() : picture.addEventListener("load", stop, { once: true });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  startSwitch();
  startSearch();
  startAnimations();
});
