// A feed served by Node's `ws`, with the rows, the arguments and the stdout lines of
// websockets_server.py; its docstring describes them.
//
//     node tests/peers/ws_server.mjs --rows 300000 --drops 5 --burst 5000 [--shapes]

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const SYMBOLS = ["AAPL", "MSFT", "GOOG", "AMZN", "BRK.B", "MÜV2", "TSLA"];
const DROPS = ["abort", "eof", "1001", "abort", "1011"];
const SHAPES = ["record", "array", "fragments", "binary", "array fragments"];
const ARRAY = 10;
const CLIENT_TIMEOUT = 10_000; // milliseconds in which a client must react to an end of file

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "300000" },
    drops: { type: "string", default: "0" },
    burst: { type: "string", default: "5000" },
    pause: { type: "string", default: "0.002" }, // seconds after each burst
    shapes: { type: "boolean", default: false },
    port: { type: "string", default: "0" },
  },
});
const rows = Number(options.rows);
const burst = Number(options.burst);
const pause = Number(options.pause) * 1000;
const shapes = options.shapes ? SHAPES : SHAPES.slice(0, 1);
const dropCount = Number(options.drops);
const drops = Array.from({ length: dropCount }, (_, index) => [
  Math.floor((rows * (index + 1)) / (dropCount + 1)),
  DROPS[index % DROPS.length],
]);

let nextRow = 0;
let messages = 0;
let connections = 0;
let done = false;
let turn = Promise.resolve(); // one connection at a time gets rows

const say = (event) => console.log(JSON.stringify(event));

function message(n) {
  const cents = String(n % 100).padStart(2, "0");
  const symbol = SYMBOLS[n % SYMBOLS.length];
  return `{"symbol": "${symbol}", "price": ${Math.floor(n / 100)}.${cents}, "volume": ${n}}`;
}

function sendMessage(socket, stop, callback) {
  const shape = shapes[messages++ % shapes.length];
  const first = nextRow;
  // Counted before it is sent: a number is never sent twice, whatever becomes of the message.
  let text;
  if (shape.startsWith("array")) {
    nextRow = Math.min(first + ARRAY, stop);
    const records = Array.from({ length: nextRow - first }, (_, index) => message(first + index));
    text = `[${records.join(", ")}]`;
  } else {
    nextRow = first + 1;
    text = message(first);
  }
  if (shape.endsWith("fragments")) {
    const data = Buffer.from(text);
    const cut = Math.max(1, Math.floor(data.length / 3));
    socket.send(data.subarray(0, cut), { binary: false, fin: false });
    socket.send(data.subarray(cut, 2 * cut), { binary: false, fin: false });
    socket.send(data.subarray(2 * cut), { binary: false, fin: true }, callback);
  } else {
    socket.send(shape === "binary" ? Buffer.from(text) : text, callback);
  }
}

// Whether all rows before `stop` were handed over; false when the client left.
async function sendRows(socket, closed, stop) {
  while (nextRow < stop) {
    const burstEnd = Math.min(stop, (Math.floor(nextRow / burst) + 1) * burst);
    await new Promise((resolve) => {
      closed.then(resolve);
      while (nextRow < burstEnd && socket.readyState === socket.OPEN) {
        // The callback comes once the kernel has the data, so nothing is left in a buffer here.
        sendMessage(socket, burstEnd, () => nextRow === burstEnd && resolve());
      }
      if (socket.readyState !== socket.OPEN) resolve();
    });
    if (socket.readyState !== socket.OPEN) return false;
    await sleep(pause);
  }
  return true;
}

async function finish(socket, tcp, closed, end) {
  if (end === "abort") {
    tcp.resetAndDestroy();
  } else if (end === "eof") {
    tcp.end();
    const timer = setTimeout(() => socket.terminate(), CLIENT_TIMEOUT);
    await closed;
    clearTimeout(timer);
  } else {
    socket.close(Number(end), end === "1000" ? "the end" : "dropped");
  }
  await closed;
}

async function feed(socket, tcp, closed, connection) {
  const first = nextRow;
  let [stop, end] = drops[0] ?? [rows, "1000"];
  if (await sendRows(socket, closed, stop)) {
    drops.shift();
    await finish(socket, tcp, closed, end);
  } else {
    end = "client";
  }
  say({ connection, first, sent: nextRow, end });
  if (nextRow === rows && drops.length === 0) {
    done = true;
    say({ done: true });
  }
}

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(options.port) });
server.on("connection", (socket, request) => {
  const connection = connections++;
  const closed = once(socket, "close");
  socket.on("error", () => {}); // "close" follows
  turn = turn.then(async () => {
    if (!done) return feed(socket, request.socket, closed, connection);
    closed.then(() => say({ connection, first: rows, sent: rows, end: "client" }));
  });
});
server.on("listening", () => say({ listening: server.address().port }));
