import { readBinlog } from "../../src/core/binlog/frame.ts";
import { binlogOf, eventOf } from "./binlog-writer.ts";

/** Takes a binlog of nothing but the smallest events apart, in a process of its own, so that a test can give it a small heap. */
const fileBytes = 24 * 2 ** 20;
const file = Buffer.alloc(fileBytes);
const head = binlogOf([]);
const smallest = eventOf(1, Buffer.alloc(16), 0);
// the descriptor takes the rest, so that the file ends with an event
const events = Math.floor((fileBytes - head.length) / smallest.length);
const rest = fileBytes - events * smallest.length - head.length;
head.copy(file);
file.writeInt32LE(head.length + rest - 4, 4 + 9);
for (let event = 0; event < events; event += 1) smallest.copy(file, head.length + rest + event * smallest.length);
console.log(JSON.stringify({ fileBytes, events: readBinlog(file, "a/log").events.length }));
