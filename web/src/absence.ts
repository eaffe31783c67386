// Whether this person may have gone away while the page stood still or was cut off: a closed lid, a phone in a pocket, a lost network.

/** After so long nobody is seen or heard before they have said so once more. */
const LONG = 5 * 60_000;
const EVERY = 1000;

export class Absence {
  private readonly timer: number;
  /** When this person was last there, by the wall clock: other clocks may stand still while a machine sleeps. */
  private present = Date.now();

  /** Calls `long` after each long absence; `here` tells whether they are there while the page runs. */
  constructor(here: () => boolean, long: () => void) {
    // After a sleep this is due at once, before any answer of the network.
    this.timer = window.setInterval(() => {
      const now = Date.now();
      const away = now - this.present > LONG;
      if (away || here()) this.present = now;
      if (away) long();
    }, EVERY);
  }

  close(): void {
    clearInterval(this.timer);
  }
}
