import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** An HTTP/1.1 client that only looks at the status: node:http would take as long as the server does. */
export interface HttpClient {
  /** Rejects unless the answer has the expected status. */
  post(path: string, json: Buffer): Promise<void>;
  close(): void;
}

/** A client with so many connections, each with a request at a time. */
export async function createHttpClient(
  address: string,
  key: string,
  expectedStatus: number,
  connections: number,
): Promise<HttpClient> {
  const [host = "", port = ""] = address.split(":");
  const sockets = Array.from({ length: connections }, () => connect({ host, port: Number(port), noDelay: true }));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const idle = [...sockets];
  const headers = `host: ${address}\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`;
  return {
    async post(path, json) {
      const socket = idle.pop();
      if (socket === undefined) throw new Error(`more than ${connections} requests at a time`);
      const answered = readAnswer(socket);
      socket.cork();
      socket.write(`POST ${path} HTTP/1.1\r\n${headers}content-length: ${json.length}\r\n\r\n`, "latin1");
      socket.write(json);
      socket.uncork();
      const { status, text } = await answered;
      idle.push(socket);
      if (status !== expectedStatus) throw new Error(`${path} was answered ${text}`);
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function readAnswer(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    const settle = (end: () => void) => {
      socket.off("data", receive).off("close", lose);
      end();
    };
    const receive = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (isComplete(text)) settle(() => resolve({ status: Number(text.slice(9, 12)), text }));
    };
    const lose = () => settle(() => reject(new Error(`the connection was lost behind: ${text}`)));
    socket.on("data", receive).once("close", lose);
  });
}

function isComplete(text: string): boolean {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return false;
  const head = text.slice(0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return text.length >= headEnd + 4 + Number(length);
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return text.endsWith("\r\n0\r\n\r\n");
  throw new Error(`an answer without an end: ${head}`);
}
