// Search and sort the prompts. Without it all of them stand there, the farthest from their target first.
(() => {
  const find = document.querySelector(".find");
  if (!find) return;
  find.hidden = false;
  const [search, order, count] = find.querySelectorAll("input, select, output");
  const lists = [...document.querySelectorAll(".shares tbody[data-prompts], .wall")].map((list) => [list, [...list.children]]);
  const name = (item) => item.dataset.prompt;
  const at = (item, kind) => {
    const drawn = [...item.querySelectorAll(`.strip .${kind}`)].filter((dot) => getComputedStyle(dot).display !== "none");
    return drawn.length ? parseFloat(drawn[0].querySelector("circle").getAttribute("cx")) : 0;
  };
  const farthest = new Map(lists[0][1].map((item, place) => [name(item), place]));
  const changed = new Map(lists[0][1].map((item) => [name(item), Math.abs(at(item, "a") - at(item, "b"))]));
  const orders = {
    far: (one, other) => farthest.get(name(one)) - farthest.get(name(other)),
    name: (one, other) => name(one).localeCompare(name(other)),
    change: (one, other) => changed.get(name(other)) - changed.get(name(one)),
  };
  const show = () => {
    const words = search.value.toLowerCase().trim();
    for (const item of lists[0][1]) changed.set(name(item), Math.abs(at(item, "a") - at(item, "b")));
    for (const [list, items] of lists) {
      for (const item of items) item.hidden = !name(item).toLowerCase().includes(words);
      list.append(...[...items].sort(orders[order.value]));
    }
    const left = lists[0][1].filter((item) => !item.hidden).length;
    count.textContent = `${left} of ${lists[0][1].length} prompts`;
  };
  search.addEventListener("input", show);
  order.addEventListener("change", show);
  for (const choice of document.querySelectorAll(".choice input")) choice.addEventListener("change", show);
  show();
})();
