import { statSync } from "node:fs";
import { errorCode } from "./error-code.ts";

/** Looks at files from time to time, by path: a link that points elsewhere is a change too. */
export interface FilePoll {
  /** To be called before the files are read: what is written from then on is a change. */
  markRead(): void;
  /** Calls back for each change. Looks every 2 s unless told otherwise; keeps no process alive. */
  start(onChange: () => void, everyMs?: number): void;
  /** Looks no more. */
  stop(): void;
}

/** For how many looks files must have stayed as they are: they may be written one by one, and half of one may be sound. */
const settledLooks = 1;
/** The same where one cannot be had; some replace a file by way of none. */
const goneLooks = 2;

/** What is there when it is made counts as read. */
export function createFilePoll(paths: readonly string[]): FilePoll {
  let readLook = lookAt(paths);
  let lastLook = readLook;
  let sameLooks = 0;
  let timer: NodeJS.Timeout | undefined;

  function poll(onChange: () => void): void {
    const look = lookAt(paths);
    sameLooks = look.text === lastLook.text ? sameLooks + 1 : 0;
    lastLook = look;
    if (look.text === readLook.text || sameLooks < (look.isWhole ? settledLooks : goneLooks)) return;
    readLook = look;
    onChange();
  }

  return {
    markRead() {
      readLook = lookAt(paths);
    },
    start(onChange, everyMs = 2000) {
      timer = setInterval(poll, everyMs, onChange);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}

interface Look {
  /** Changes with a file's content, with what its path leads to, and with why it cannot be had. */
  readonly text: string;
  /** Whether all files are there. */
  readonly isWhole: boolean;
}

function lookAt(paths: readonly string[]): Look {
  let isWhole = true;
  const texts = paths.map((path) => {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join(":");
    } catch (error) {
      isWhole = false;
      return errorCode(error);
    }
  });
  return { text: texts.join(), isWhole };
}
