// Uploads a file with tus-js-client: node upload.js FILE ENDPOINT KEY STORAGE CHUNK
import { createReadStream } from "node:fs";
import { FileUrlStorage, Upload } from "tus-js-client";

const [file, endpoint, key, storage, chunk] = process.argv.slice(2);
const upload = new Upload(createReadStream(file), {
  endpoint,
  headers: { "MC-Api-Key": key },
  metadata: { filename: file, filetype: "application/x-iso9660-image" },
  chunkSize: Number(chunk) || Infinity,
  retryDelays: [0, 100, 200, 400, 800],
  urlStorage: new FileUrlStorage(storage),
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onShouldRetry: (error, attempt, options) => {
    console.log("retry");
    const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
    return status === 0 || status === 409 || status === 423 || status >= 500;
  },
  onSuccess: () => {
    console.log(upload.url);
    process.exit(0); // connections that are kept for later would keep the process
  },
});
const [previous] = await upload.findPreviousUploads();
if (previous) {
  console.log("resume");
  upload.resumeFromPreviousUpload(previous);
}
upload.start();
