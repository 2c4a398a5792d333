/** What is used of cli-progress, which comes without types. */
declare module "cli-progress" {
  export interface MultiBarOptions {
    readonly stream: NodeJS.WritableStream;
    readonly format: string;
    readonly barsize: number;
    readonly barCompleteChar: string;
    readonly barIncompleteChar: string;
    readonly fps: number;
    readonly hideCursor: boolean;
    /** Needed to have the bar again below a line that was logged. */
    readonly forceRedraw: boolean;
  }

  export interface ProgressBar {
    update(value: number, payload: Readonly<Record<string, string>>): void;
  }

  export class MultiBar {
    constructor(options: MultiBarOptions);
    create(total: number, startValue: number, payload: Readonly<Record<string, string>>): ProgressBar;
    /** Prints a line above the bars with the next update; it has to end with a line feed. */
    log(line: string): void;
    update(): void;
    stop(): void;
  }
}
