import { readFile } from "node:fs/promises";

const url = process.env.KNOLL_URL ?? "http://127.0.0.1:8080";
const picture = (await readFile(process.argv[2])).toString("base64");
const answer = await fetch(`${url}/v1/models/digits:predict`, {
  method: "POST",
  body: JSON.stringify({ instances: [{ b64: picture }] }),
});
const { predictions, error } = await answer.json();
if (!answer.ok) throw new Error(error);
console.log(predictions[0].label, answer.headers.get("x-model-version"));
