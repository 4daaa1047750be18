// Copies and saves what the page contains.

function saveLink(link, type, text) {
  link.addEventListener("click", () => {
    link.href = `data:${type};charset=utf-8,${encodeURIComponent(text())}`;
    // Pages with large links are slow.
    setTimeout(() => { link.href = "#details"; }, 1000);
  });
}

/** A selection can be copied by hand where the clipboard is out of reach. */
async function copyText(button, block) {
  let isCopied = false;
  try {
    await navigator.clipboard.writeText(block.textContent);
    isCopied = true;
  } catch {
    getSelection().selectAllChildren(block);
  }
  button.textContent = isCopied ? "Copied" : "Selected";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function listenForDetails() {
  for (const details of document.querySelectorAll("#details details")) {
    const block = details.querySelector("pre");
    details.querySelector(".copy").addEventListener("click", (event) => copyText(event.currentTarget, block));
    saveLink(details.querySelector(".save"), "application/json", () => block.textContent);
  }
  for (const link of document.querySelectorAll("a[data-csv]")) {
    saveLink(link, "text/csv", () => data.csv[Number(link.dataset.csv)][1]);
  }
}
