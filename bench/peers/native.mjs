// The WebSocket that Bun and Deno have themselves.
//
//     bun bench/peers/native.mjs URL OUT ROWS
//     deno run --allow-net --allow-read --allow-write bench/peers/native.mjs URL OUT ROWS

import process from "node:process";
import { Rows, fail } from "./rows.mjs";

const [url, out, count] = process.argv.slice(2);
const rows = new Rows(out, count);
const socket = new WebSocket(url);
socket.onmessage = (event) => rows.take(event.data);
socket.onclose = () => rows.end();
socket.onerror = fail;
