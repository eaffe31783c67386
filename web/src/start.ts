// Loads the files of the page. While a gateway is replaced by another version, one replica may have given the page, and another be asked
// for its files, which it does not have: then the page itself is asked for again, until the two are of one version.

/** From half a second, doubling, to five seconds; spread, because many pages wait for the same gateway. */
function delay(attempt: number): number {
  return Math.min(5000, 500 * 2 ** attempt) * (0.5 + Math.random());
}

/** Where the number of attempts is kept: it outlives the reload, and goes with the tab. */
interface Attempts {
  attempts?: number;
}

let failed = false;
function again(): void {
  if (failed) return;
  failed = true;
  const attempts = (history.state as Attempts | null)?.attempts ?? 0;
  // The words of the page are in the file that is missing.
  document.getElementById("page")?.replaceChildren(document.createElement("progress"));
  setTimeout(() => {
    history.replaceState({ attempts: attempts + 1 } satisfies Attempts, "");
    location.reload();
  }, delay(attempts));
}

const { script = "", sheet: style = "" } = document.currentScript?.dataset ?? {};
const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = style;
sheet.addEventListener("error", again);
sheet.addEventListener("load", () => {
  const page = document.createElement("script");
  page.type = "module";
  page.src = script;
  page.addEventListener("error", again);
  document.head.append(page);
});
document.head.append(sheet);
