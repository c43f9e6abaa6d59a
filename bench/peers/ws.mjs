// Node.js and the package ws, tuned: no UTF-8 validation, and all messages of a read in one turn.
//
//     node bench/peers/ws.mjs URL OUT ROWS

import process from "node:process";
import WebSocket from "ws";
import { Rows, fail } from "./rows.mjs";

const [url, out, count] = process.argv.slice(2);
const rows = new Rows(out, count);
const socket = new WebSocket(url, {
  allowSynchronousEvents: true,
  perMessageDeflate: false,
  skipUTF8Validation: true,
});
socket.on("message", (data) => rows.take(data.toString()));
socket.on("close", () => rows.end());
socket.on("error", fail);
