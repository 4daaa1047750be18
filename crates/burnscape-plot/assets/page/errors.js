// Counts errors from the first line on, for tests: <html data-errors="0">.
{
  const { dataset } = document.documentElement;
  const count = () => { dataset.errors = String(Number(dataset.errors) + 1); };
  dataset.errors = "0";
  addEventListener("error", count);
  addEventListener("unhandledrejection", count);
}
