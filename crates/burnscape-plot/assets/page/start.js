// Draws all panels, and says to tests when that is done: <html data-ready="1" data-panels="7">.

const builders = {
  landscapes: (panel, content) => new Landscapes(panel, content),
  curves: (panel, content) => new Curves(panel, content),
  topology: (panel, content) => new Topology(panel, content),
  static: () => null,
};

/** A panel that cannot be drawn says so, and the others are drawn. */
function buildPanel(panel, section) {
  const content = section.querySelector(".content");
  try {
    builders[panel.kind](panel, content);
    section.dataset.drawn = "1";
  } catch (error) {
    root.dataset.errors = String(Number(root.dataset.errors) + 1);
    content.append(element("p", { class: "failure" }, `This figure could not be drawn: ${error.message}.`));
    console.error(error);
  }
}

/** Tables that are wider than the window fade where there is more of them. */
function watchTables() {
  for (const box of document.querySelectorAll(".scroll")) {
    const look = () => box.classList.toggle("has-more", box.scrollWidth - box.clientWidth - Math.abs(box.scrollLeft) > 2);
    box.addEventListener("scroll", look, { passive: true });
    on("redraw", look);
    look();
  }
}

function start() {
  readTheme();
  const sections = document.querySelectorAll("section.panel[data-kind]");
  data.panels.forEach((panel, index) => buildPanel(panel, sections[index]));
  listenForDetails();
  watchTables();
  root.dataset.panels = String(document.querySelectorAll("section.panel[data-drawn]").length);
  root.dataset.ready = "1";
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

let lastWidth = innerWidth;
addEventListener("resize", onceAFrame(() => {
  // Telephones change the height while one scrolls.
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  redrawAll();
}));

/** Paper is light and has its own width. */
function setPrinting(isPrinting) {
  root.classList.toggle("printing", isPrinting);
  redrawAll();
}

addEventListener("beforeprint", () => setPrinting(true));
addEventListener("afterprint", () => setPrinting(false));

start();
