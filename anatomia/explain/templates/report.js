(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("js");

  // language: the reader's choice, else the browser's
  const switches = { pl: document.getElementById("set-pl"), en: document.getElementById("set-en") };
  const recall = () => { try { return localStorage.getItem("anatomia.language"); } catch { return null; } };
  const remember = (language) => { try { localStorage.setItem("anatomia.language", language); } catch { /* private mode */ } };
  const speak = (language) => { switches[language].checked = true; root.lang = language; };
  const preferred = (navigator.languages || [navigator.language || "en"]).find((l) => /^(pl|en)\b/i.test(l)) || "en";
  speak(switches[recall()] ? recall() : preferred.slice(0, 2).toLowerCase());
  for (const [language, input] of Object.entries(switches)) {
    input.addEventListener("change", () => { speak(language); remember(language); });
  }
  const write = (value, digits) => Number(value).toLocaleString(root.lang, { maximumFractionDigits: digits });

  // a small note beside whatever is pointed at or tapped
  const tip = document.getElementById("tip");
  let hot = null;
  const show = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.max(8, Math.min(x - tip.offsetWidth / 2, root.clientWidth - tip.offsetWidth - 8));
    const above = y - tip.offsetHeight - 10;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : y + 26) + scrollY}px`;
  };
  const hide = () => { tip.hidden = true; if (hot) { hot.classList.remove("hot"); hot = null; } };
  const describe = (element) => {
    if (element.dataset.tip) return (root.lang === "pl" && element.dataset.tipPl) || element.dataset.tip;
    const names = all(".names > span", element.closest(".credit")).map((e) => (e.querySelector(`.${root.lang}`) || e).textContent);
    return element.dataset.v.split(",").map((value, i) => `${names[i]}: ${write(value, Math.abs(value) < 0.1 ? 6 : 3)}`).join("\n");
  };
  const point = (event) => {
    const element = event.target.closest && event.target.closest("[data-tip], [data-v]");
    if (!element) { if (!event.target.closest || !event.target.closest(".chart")) hide(); return; }
    hide();
    hot = element;
    if (element.classList.contains("tok")) element.classList.add("hot");
    const box = element.getClientRects()[0];
    show(describe(element), box.left + box.width / 2, box.top);
  };
  document.addEventListener("pointerover", point);
  document.addEventListener("click", point);
  addEventListener("scroll", hide, { passive: true });

  // long texts
  for (const text of all(".clamp")) text.addEventListener("click", () => text.classList.toggle("open"));

  // players
  for (const player of all(".player")) {
    const places = player.dataset.at.split(",").map(Number);
    const tokens = all(".line > .tok", player);
    const steps = all(".step", player);
    const [count] = all(".count", player);
    let now = 0, timer = null;
    const go = (step) => {
      now = (step + places.length) % places.length;
      tokens.forEach((token, i) => {
        token.classList.toggle("slot", i === places[now]);
        token.classList.toggle("future", i > places[now]);
      });
      steps.forEach((element, i) => element.classList.toggle("now", i === now));
      count.textContent = `${now + 1} / ${places.length}`;
    };
    const stop = () => { clearInterval(timer); timer = null; player.classList.remove("playing"); };
    const play = () => {
      if (timer) return stop();
      if (now === places.length - 1) go(0);
      player.classList.add("playing");
      timer = setInterval(() => { go(now + 1); if (now === places.length - 1) stop(); }, 900);
    };
    player.querySelector(".back").addEventListener("click", () => { stop(); go(now - 1); });
    player.querySelector(".next").addEventListener("click", () => { stop(); go(now + 1); });
    player.querySelector(".play").addEventListener("click", play);
    player.querySelector(".controls").hidden = false;
    go(0);
  }

  // charts: values under the pointer
  for (const chart of all(".chart")) {
    const data = JSON.parse(chart.dataset.chart);
    const plot = chart.querySelector(".plot");
    const cross = chart.querySelector(".cross");
    const names = all(".legend > span", chart);
    const nearest = (points, x) => points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
    const read = (event) => {
      const box = plot.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      const x = nearest(data.series[0].points, data.x[0] + share * (data.x[1] - data.x[0]))[0];
      const place = (x - data.x[0]) / (data.x[1] - data.x[0]);
      cross.hidden = false;
      cross.style.left = `${100 * place}%`;
      const label = (element) => (element.querySelector(`.${root.lang}`) || element).textContent;
      const lines = data.series.map((s, i) => (names[i] ? `${label(names[i])}: ` : "") + write(nearest(s.points, x)[1], 3));
      show([`${label(chart.querySelector(".axis"))} ${write(Math.round(x), 0)}`, ...lines].join("\n"), box.left + place * box.width, box.top + 24);
    };
    plot.addEventListener("pointermove", read);
    plot.addEventListener("pointerdown", read);
    plot.addEventListener("pointerleave", () => { cross.hidden = true; hide(); });
  }

  // where the reader is
  const links = all("#rail a");
  const targets = links.map((a) => document.querySelector(a.getAttribute("href")));
  const bar = document.getElementById("progress");
  const follow = () => {
    let here = 0;
    targets.forEach((target, i) => { if (i && target.getBoundingClientRect().top < innerHeight * 0.4) here = i; });
    links.forEach((link, i) => { link.classList.toggle("here", i === here); link.classList.toggle("past", i < here); });
    bar.style.width = `${100 * scrollY / Math.max(1, root.scrollHeight - innerHeight)}%`;
  };
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", follow);
  follow();
  const menu = document.querySelector("#rail details");
  const wide = matchMedia("(min-width: 1120px)");
  const fold = () => { menu.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();
  links.forEach((link) => link.addEventListener("click", () => { if (!wide.matches) menu.open = false; }));
})();
