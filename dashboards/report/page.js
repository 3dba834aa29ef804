// Search and sort the prompts. Without it all of them stand there, the farthest from their target first.
(() => {
  const find = document.querySelector(".find");
  if (!find) return;
  find.hidden = false;
  const [search, order, count] = find.querySelectorAll("input, select, output");
  // Each list in its own order: what is far from one attribute's target may be near another's.
  const lists = [...document.querySelectorAll(".shares tbody[data-prompts], .wall")].map((list) => [list, [...list.children]]);
  const name = (item) => item.dataset.prompt;
  const at = (item, kind) => {
    const drawn = [...item.querySelectorAll(`.strip .${kind}`)].filter((dot) => getComputedStyle(dot).display !== "none");
    return drawn.length ? parseFloat(drawn[0].querySelector("circle").getAttribute("cx")) : 0;
  };
  const orders = {
    far: (items) => items,
    name: (items) => [...items].sort((one, other) => name(one).localeCompare(name(other))),
    change: (items) => {
      // Pictures have no strip of their own: they come as the first attribute's prompts do.
      const strips = items.some((item) => item.querySelector(".strip")) ? items : lists[0][1];
      const changed = new Map(strips.map((item) => [name(item), Math.abs(at(item, "a") - at(item, "b"))]));
      return [...items].sort((one, other) => changed.get(name(other)) - changed.get(name(one)));
    },
  };
  const show = () => {
    const words = search.value.toLowerCase().trim();
    for (const [list, items] of lists) {
      for (const item of items) item.hidden = !name(item).toLowerCase().includes(words);
      list.append(...orders[order.value](items));
    }
    const left = lists[0][1].filter((item) => !item.hidden).length;
    count.textContent = `${left} of ${lists[0][1].length} prompts`;
  };
  search.addEventListener("input", show);
  order.addEventListener("change", show);
  for (const choice of document.querySelectorAll(".choice input")) choice.addEventListener("change", show);
  show();
})();
