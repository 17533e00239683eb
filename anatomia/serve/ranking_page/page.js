// Who ranks, the question before them, and how far everybody has got. Every answer is saved before the next is shown.

const at = (id) => document.getElementById(id);
const key = new URLSearchParams(location.search).get("key") ?? "";
let start, language, me = "", state = null, skipped = [], places = [], tie = false, view = "who", busy = false;

const say = (name, values = {}) =>
  start.texts[language][name].replace(/\{(\w+)\}/g, (_, what) => values[what] ?? "");

function status(text, bad = false) {
  at("status").textContent = text;
  at("status").classList.toggle("bad", bad);
}

function make(tag, content = "", properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...[content].flat());
  return made;
}

async function call(what, given = {}) {
  let answer;
  try {
    const body = JSON.stringify({ language, ...given });
    const headers = { "Content-Type": "application/json", "X-Key": key };
    answer = await fetch(`api/${what}`, { method: "POST", headers, body });
  } catch {
    throw new Error(start ? say("offline") : "Anatomia: ?");
  }
  const said = await answer.json();
  if (!answer.ok) throw new Error(start ? say(said.error, said) : said.error);
  return said;
}

// One thing at a time: a second press while the first is on its way does nothing.
async function act(what) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await what();
  } catch (error) {
    status(error.message, true);
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

function show(next) {
  view = next;
  document.documentElement.lang = language;
  document.title = `${start.title} – Anatomia`;
  at("title").textContent = start.title;
  at("me").textContent = state ? `${me} · ${say("given")}: ${state.given} · ${say("left")}: ${state.left}` : me;
  at("me").hidden = !me;
  at("change").textContent = say("someone_else");
  at("change").hidden = !me;
  at("show-progress").textContent = say(view === "progress" ? "back" : "progress");
  at("show-progress").hidden = !me;
  at("language").textContent = language === "en" ? "Polski" : "English";
  at("language").lang = language === "en" ? "pl" : "en";
  at("save").textContent = say("save");
  at("skip").textContent = say("skip");
  at("take-back").textContent = say("take_back");
  at("actions").hidden = view !== "rank";
  if (view === "who") who();
  if (view === "rank") question();
}

function who() {
  const name = make("input", "", { name: "name", value: localStorage.getItem("anatomia-name") ?? start.name, maxLength: 200, autocomplete: "nickname" });
  name.setAttribute("aria-label", say("name"));
  const form = make("form", [name, make("button", say("begin"), { className: "strong" })]);
  form.noValidate = true;
  form.onsubmit = (event) => {
    event.preventDefault();
    act(() => sit(name.value));
  };
  const known = start.names.map((one) => make("button", one, { type: "button", title: one, onclick: () => act(() => sit(one)) }));
  const before = make("div", [say("known"), ...known], { className: "known" });
  const parts = [make("h1", say("who")), make("p", say("who_help"), { className: "hint" }), form];
  at("main").replaceChildren(make("div", known.length ? [...parts, before] : parts, { className: "who" }));
  name.select();
}

async function sit(name) {
  const seated = (await call("sit", { name })).name;
  const next = await call("ask", { name: seated, skipped: [] });
  [me, skipped] = [seated, []];
  localStorage.setItem("anatomia-name", me);
  status("");
  take(next);
}

function take(next) {
  state = next;
  places = (state.question?.answers ?? []).map(() => 0);
  tie = false;
  show("rank");
  scrollTo(0, 0);
}

function question() {
  const asked = state.question;
  at("order").hidden = at("save").hidden = at("skip").hidden = !asked;
  at("take-back").disabled = state.last === null;
  if (!asked) {
    const parts = [make("h1", say(skipped.length ? "done_skipped" : "done"))];
    if (skipped.length) parts.push(make("button", say("show_skipped"), { onclick: () => act(again) }));
    at("main").replaceChildren(...parts);
    return;
  }
  const turns = asked.prompt.map((turn) =>
    make("div", [make("small", say(turn.role)), make("div", turn.content, { className: "text", dir: "auto" })], { className: `turn ${turn.role}` }));
  const cards = asked.answers.map((answer, index) => {
    const buttons = asked.answers.map((_, place) =>
      make("button", String(place + 1), { type: "button", onclick: () => put(index, place + 1) }));
    const group = make("div", buttons, { className: "places", role: "group" });
    group.setAttribute("aria-label", say("place", { letter: answer.letter.toUpperCase() }));
    const text = make("div", answer.text || say("empty"), { className: answer.text ? "text" : "text empty", dir: "auto" });
    return make("section", [make("div", [make("span", answer.letter.toUpperCase(), { className: "letter" }), group], { className: "head" }), text], { className: "card" });
  });
  at("main").replaceChildren(...turns, make("p", say("how"), { className: "hint" }), make("div", cards, { className: "cards" }));
  placed();
}

const again = async () => {
  skipped = [];
  take(await call("ask", { name: me, skipped }));
};

function put(index, place) {
  places[index] = places[index] === place ? 0 : place;
  tie = false;
  placed();
}

// The groups of answers, best first, that the places stand for.
const groups = () =>
  [...new Set(places)].filter(Boolean).sort((a, b) => a - b)
    .map((place) => places.flatMap((own, index) => (own === place ? [index] : [])));

function placed() {
  const letters = state.question.answers.map((answer) => answer.letter.toUpperCase());
  document.querySelectorAll(".card").forEach((card, index) => {
    card.classList.toggle("placed", places[index] > 0);
    card.querySelectorAll(".places button").forEach((button, place) =>
      button.setAttribute("aria-pressed", String(places[index] === place + 1)));
  });
  const order = groups().map((group) => group.map((index) => letters[index]).join(" = ")).join(" > ") + (tie ? " =" : "");
  const missing = letters.filter((_, index) => !places[index]).join(", ");
  at("order").textContent = [order, missing && say("unplaced", { what: missing })].filter(Boolean).join("   ·   ");
  at("save").disabled = missing !== "";
}

async function save() {
  if (places.includes(0)) return;
  const { key, ticket, shown } = state.question;
  const next = await call("rank", { name: me, key, ticket, shown, groups: groups(), skipped });
  take(next);
  status(say(next.kept ? "saved" : "elsewhere"), !next.kept);
}

async function skip() {
  const without = [...skipped, state.question.key];
  const next = await call("ask", { name: me, skipped: without });
  skipped = without;
  take(next);
  status("");
}

async function takeBack() {
  const next = await call("take-back", { name: me, number: state.last, skipped });
  take(next);
  status(say(next.taken_back ? "taken_back" : "not_taken_back"), !next.taken_back);
}

async function progress() {
  const found = await call("progress");
  const format = (value, digits) => (value === null ? "–" : value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const columns = ["person", "rankings", "left", "agreement", "reliability", "last"];
  const rows = found.people.map((one) => {
    const cells = [
      one.name,
      format(one.rankings, 0),
      format(one.left, 0),
      one.tau === null ? "–" : `${format(one.tau, 2)} (${format(one.common, 0)})`,
      one.reliability === null ? "–" : `${format(one.reliability, 2)} ± ${format(one.reliability_error, 2)}`,
      one.last ? new Date(one.last * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" }) : "–",
    ];
    const made = cells.map((cell) => make("td", cell));
    made.forEach((cell, index) => (cell.dataset.head = say(columns[index])));
    return make("tr", made, { className: one.name === me ? "own" : "" });
  });
  const heads = columns.map((head) => make("th", say(head), { scope: "col" }));
  const table = make("table", [make("thead", make("tr", heads)), make("tbody", rows)]);
  const parts = [make("h1", say("progress")), make("p", say("total", { rankings: format(found.rankings, 0), prompts: format(found.prompts, 0) }))];
  if (rows.length) parts.push(make("div", table, { className: "wide" }));
  else parts.push(make("p", say("nobody")));
  if (found.ask_next && rows.length > 1) parts.push(make("p", say("ask_next", { name: found.ask_next })));
  if (rows.length) parts.push(make("p", say("agreement_help"), { className: "hint" }), make("p", say("reliability_help"), { className: "hint" }));
  show("progress");
  at("main").replaceChildren(...parts);
  status("");
}

at("save").onclick = () => act(save);
at("skip").onclick = () => act(skip);
at("take-back").onclick = () => act(takeBack);
at("show-progress").onclick = () => act(async () => (view === "progress" ? show("rank") : progress()));
at("change").onclick = () => act(async () => {
  start.names = (await call("start")).names;
  [me, state, skipped] = ["", null, []];
  status("");
  show("who");
});
at("language").onclick = () => act(async () => {
  language = language === "en" ? "pl" : "en";
  localStorage.setItem("anatomia-language", language);
  status("");
  if (view === "progress") await progress();
  else show(view);
});

document.addEventListener("keydown", (event) => {
  if (view !== "rank" || !state.question || event.ctrlKey || event.metaKey || event.altKey) return;
  const index = state.question.answers.findIndex((answer) => answer.letter === event.key.toLowerCase());
  const last = Math.max(...places);
  if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement)) {
    event.preventDefault();
    act(save);
  } else if (event.key === "=" && last) {
    tie = true;
    placed();
  } else if (event.key === "Backspace" && last) {
    if (tie) tie = false;
    else places = places.map((place) => (place === last ? 0 : place));
    placed();
  } else if (index >= 0 && !places[index]) {
    places[index] = tie ? last : last + 1;
    tie = false;
    placed();
  }
});

act(async () => {
  start = await call("start");
  const wanted = localStorage.getItem("anatomia-language");
  language = wanted in start.texts ? wanted : start.language;
  show("who");
});
