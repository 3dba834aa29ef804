// A control that changes shows its page at once, in place, and keeps the focus; without this there is a button for it.
(() => {
  let latest = 0;
  const show = async (address, keep = true) => {
    const mine = ++latest;
    const main = document.querySelector("main");
    main.setAttribute("aria-busy", "true");
    let answer, text;
    try {
      answer = await fetch(address);
      text = await answer.text();
    } catch {
      location.assign(address);
      return;
    }
    if (mine !== latest) return;
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.querySelector("main");
    if (!fresh) return location.assign(address);
    const focus = document.activeElement?.id;
    main.replaceWith(fresh);
    document.title = page.title;
    if (keep) history.pushState(null, "", fresh.dataset.address ?? address);
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  };
  const asked = (form, changed) => {
    const values = [...new FormData(form)].filter(([name, value]) => value !== "" && (name !== "page" || changed.name === "page"));
    return `${form.getAttribute("action")}?${new URLSearchParams(values)}`;
  };
  document.documentElement.classList.add("scripted");
  document.addEventListener("change", ({ target }) => {
    if (target.form?.id === "choice" && target.name !== "query") show(asked(target.form, target));
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "choice") return;
    event.preventDefault();
    show(asked(event.target, document.activeElement ?? event.target));
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.name === "query" && event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-stay]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    show(link.getAttribute("href"));
  });
  addEventListener("popstate", () => show(location.href, false));
})();
