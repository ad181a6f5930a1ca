// Classifies raw pixels with a TensorFlow.js graph model: node run_tfjs.cjs MODEL_FOLDER PIXELS SIDE OUT.
// PIXELS holds uint8 [n, side, side, 3]; OUT receives the probabilities as JSON.
const fs = require("node:fs");
const path = require("node:path");
const tf = require("@tensorflow/tfjs-core");
const { loadGraphModel } = require("@tensorflow/tfjs-converter");
require("@tensorflow/tfjs-backend-cpu");
const wasm = require("@tensorflow/tfjs-backend-wasm");

async function load(folder, content) {
  const files = content.weightsManifest.flatMap((group) => group.paths);
  const data = Buffer.concat(files.map((file) => fs.readFileSync(path.join(folder, file))));
  return loadGraphModel({
    load: async () => ({
      modelTopology: content.modelTopology,
      signature: content.signature,
      format: content.format,
      weightSpecs: content.weightsManifest.flatMap((group) => group.weights),
      weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
    }),
  });
}

async function main() {
  const [folder, pixels, sideText, out] = process.argv.slice(2);
  wasm.setWasmPaths(path.join(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
  await tf.setBackend("wasm");
  await tf.ready();
  const content = JSON.parse(fs.readFileSync(path.join(folder, "model.json"), "utf8"));
  const model = await load(folder, content);
  const output = content.signature.outputs.probabilities.name;
  const side = Number(sideText);
  const bytes = fs.readFileSync(pixels);
  const size = side * side * 3;
  const rows = [];
  for (let start = 0; start < bytes.length; start += size) {
    const images = tf.tensor4d(Int32Array.from(bytes.subarray(start, start + size)), [1, side, side, 3], "int32");
    const probabilities = model.execute({ images }, output);
    rows.push(Array.from(await probabilities.data()));
    tf.dispose([images, probabilities]);
  }
  fs.writeFileSync(out, JSON.stringify(rows));
}

main().catch((error) => {
  console.error(String(error && error.message ? error.message : error));
  process.exit(1);
});
