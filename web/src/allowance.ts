// How much anybody may do in a while: so much at once, and from then on so much a second.

/** Most people whose use is remembered. Who has been quiet for longest is forgotten first. */
const MOST = 1000;

export class Allowance {
  /** What each has left, as of a moment; in the order of their last use. */
  private readonly left = new Map<string, { amount: number; moment: number }>();

  constructor(
    private readonly atOnce: number,
    private readonly perSecond: number,
  ) {}

  /** Whether somebody may once more, which then counts. `now` is in milliseconds. */
  take(who: string, now: number): boolean {
    const { amount, moment } = this.left.get(who) ?? { amount: this.atOnce, moment: now };
    const restored = Math.min(this.atOnce, amount + (Math.max(0, now - moment) / 1000) * this.perSecond);
    const may = restored >= 1;
    this.left.delete(who);
    this.left.set(who, { amount: may ? restored - 1 : restored, moment: now });
    for (const quiet of this.left.keys()) {
      if (this.left.size <= MOST) break;
      this.left.delete(quiet);
    }
    return may;
  }
}
