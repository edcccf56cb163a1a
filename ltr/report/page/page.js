// Interaction: checkboxes that show and hide parts of figures, and tooltips at markers.
(() => {
  // A checkbox applies to the figure that contains it, or otherwise to its run.
  const choose = () => {
    for (const part of document.querySelectorAll(".off")) part.classList.remove("off");
    for (const choice of document.querySelectorAll("input[data-part]:not(:checked)")) {
      const scope = choice.closest("figure, article");
      for (const part of scope.querySelectorAll(`.${CSS.escape(choice.dataset.part)}`)) part.classList.add("off");
    }
  };
  for (const chips of document.querySelectorAll(".chips")) {
    chips.hidden = false;
    chips.addEventListener("change", choose);
  }

  const tip = Object.assign(document.createElement("div"), { id: "tip", hidden: true });
  tip.setAttribute("role", "status");
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const marker = event.target.closest?.(".marker");
    tip.hidden = !marker;
    if (!marker) return;
    tip.textContent = marker.querySelector("title").textContent;
    const left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${event.clientY > 60 ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16}px`;
  });
})();
