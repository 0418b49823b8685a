// Compares the outputs of ONNX Runtime with those of handrail:
//   npm install onnxruntime-node                     in a folder of its own
//   node onnx_check.mjs NODE_MODULES FOLDER          FOLDER is one of exported_files

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, folder] = process.argv.slice(2);
const ort = createRequire(join(resolve(modules), "here.js"))("onnxruntime-node");

function floats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

let failures = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".onnx"))) {
  const path = join(folder, file.slice(0, -5));
  const session = await ort.InferenceSession.create(path + ".onnx");
  const inputs = floats(path + ".inputs");
  const wanted = floats(path + ".outputs");
  const sample = session.inputMetadata[0].shape.slice(1);
  const rows = inputs.length / sample.reduce((a, b) => a * b, 1);
  const { output } = await session.run({ input: new ort.Tensor("float32", inputs, [rows, ...sample]) });
  let largest = output.data.length === wanted.length ? 0 : Infinity;
  output.data.forEach((y, i) => (largest = Math.max(largest, Math.abs(y - wanted[i]) / Math.max(1, Math.abs(wanted[i])))));
  console.log(`${file}: at most ${largest.toPrecision(2)} off`);
  if (!(largest < 1e-5)) ++failures;
}
process.exit(failures === 0 ? 0 : 1);
