// Zooming, panning and picking out what hangs together. Without it the page holds the same.
"use strict";
(() => {
  const figure = document.querySelector(".graph");
  const svg = figure.querySelector("svg");
  figure.classList.add("alive");
  const whole = svg.getAttribute("viewBox").split(" ").map(Number);
  let [x, y, w, h] = whole;
  const show = () => svg.setAttribute("viewBox", [x, y, w, h].join(" "));
  const point = (event) => {
    const here = new DOMPoint(event.clientX, event.clientY);
    return here.matrixTransform(svg.getScreenCTM().inverse());
  };
  const zoom = (factor, cx = x + w / 2, cy = y + h / 2) => {
    const wide = Math.min(Math.max(w * factor, whole[2] / 12), whole[2] * 3);
    const by = wide / w;
    x = cx - (cx - x) * by;
    y = cy - (cy - y) * by;
    w = wide;
    h *= by;
    show();
  };
  const back = () => { [x, y, w, h] = whole; pick(null); show(); };
  const move = (dx, dy) => { x += dx * w; y += dy * h; show(); };

  const names = new Map();
  const lines = [...svg.querySelectorAll(".line")];
  for (const line of lines) {
    for (const end of [line.dataset.a, line.dataset.b]) {
      const near = names.get(end) || new Set([end]);
      near.add(line.dataset.a).add(line.dataset.b);
      names.set(end, near);
    }
  }
  let picked = null;
  const pick = (node) => {
    picked = node === picked ? null : node;
    const near = picked && (names.get(picked) || new Set([picked]));
    for (const one of svg.querySelectorAll(".who, .what")) {
      one.classList.toggle("faded", Boolean(near) && !near.has(one.id));
    }
    for (const line of lines) {
      const ends = line.dataset.a === picked || line.dataset.b === picked;
      line.classList.toggle("faded", Boolean(picked) && !ends);
    }
  };

  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !figure.contains(document.activeElement)) { return; }
    event.preventDefault();
    const at = point(event);
    zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, at.x, at.y);
  }, { passive: false });

  const held = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, point(event));
    if (held.size === 1) { moved = 0; }
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) { return; }
    const from = held.get(event.pointerId), to = point(event);
    if (held.size === 1) {
      moved += Math.abs(event.movementX) + Math.abs(event.movementY);
      if (moved > 4) { svg.classList.add("held"); svg.setPointerCapture(event.pointerId); }
      x += from.x - to.x;
      y += from.y - to.y;
      show();
      return;
    }
    const other = [...held].find(([id]) => id !== event.pointerId)[1];
    const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) || 1;
    zoom(far(from, other) / far(to, other), (to.x + other.x) / 2, (to.y + other.y) / 2);
    held.set(event.pointerId, point(event));
  });
  const drop = (event) => { held.delete(event.pointerId); svg.classList.remove("held"); };
  svg.addEventListener("pointerup", drop);
  svg.addEventListener("pointercancel", drop);
  svg.addEventListener("click", (event) => {
    if (moved > 4) { return; }
    const node = event.target.closest(".who, .what");
    if (node || picked) { pick(node ? node.id : null); }
  });
  svg.addEventListener("dblclick", back);

  figure.addEventListener("keydown", (event) => {
    const node = event.target.closest(".who, .what");
    const keys = {
      "+": () => zoom(1 / 1.25), "=": () => zoom(1 / 1.25), "-": () => zoom(1.25), "0": back,
      ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0),
      ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1),
      Enter: () => node && pick(node.id), Escape: () => pick(null),
    };
    if (event.target.closest("button") && event.key === "Enter") { return; }
    if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  const tools = { in: () => zoom(1 / 1.3), out: () => zoom(1.3), all: back };
  for (const button of figure.querySelectorAll("button")) {
    button.addEventListener("click", tools[button.dataset.does]);
  }
})();
