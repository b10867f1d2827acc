// The camera, once a person has allowed it: what it sees, and single pictures of that.
import { element } from "./ask.js";

// Whether there is one, and it may be used.
export async function openCamera(video) {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return false;
  }
  await video.play();
  return true;
}

// What it sees now, as a JPEG; nothing while it sees nothing yet.
export function pictureOf(video) {
  const canvas = element("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  if (!canvas.width) return undefined;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise(done => canvas.toBlob(done, "image/jpeg", 0.9));
}

export function closeCamera(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}
