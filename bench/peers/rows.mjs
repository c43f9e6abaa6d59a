// What the JavaScript peers share: rows go into one string, and from there into the file, some
// 64 KiB at a time.

import fs from "node:fs";
import { Buffer } from "node:buffer";
import process from "node:process";

const PIECE = 65536;
const SPECIAL = /[",\r\n]/;

export class Rows {
  constructor(out, rows) {
    this.file = fs.openSync(out, "w");
    this.missing = Number(rows);
    this.text = "symbol,price,volume\n";
  }

  // Take a message, a string; leave the program after the last one.
  take(message) {
    if (this.missing === 0) return;
    const { symbol, price, volume } = JSON.parse(message);
    this.text += `${quoted(symbol)},${price},${volume ?? ""}\n`;
    this.missing -= 1;
    if (this.missing === 0) this.end();
    else if (this.text.length >= PIECE) this.write();
  }

  write() {
    const bytes = Buffer.from(this.text);
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.file, bytes, at);
    this.text = "";
  }

  // All rows are there, or the server has closed.
  end() {
    this.write();
    fs.closeSync(this.file);
    process.exit(0);
  }
}

function quoted(text) {
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function fail(error) {
  console.error(String(error?.message ?? error));
  process.exit(1);
}
