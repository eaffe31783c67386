// Pictures and voices.

import { eventually } from "./eventually.mjs";

/** Waits until a tile shows a moving picture. */
export async function showsPicture(locator) {
  await eventually("a picture that moves", () =>
    locator.locator("video").evaluate(async (video) => {
      if (video.hidden) return false;
      const painted = () => new Promise((resolve) => video.requestVideoFrameCallback((_, { presentedFrames }) => resolve(presentedFrames)));
      const never = new Promise((resolve) => setTimeout(() => resolve(false), 1000));
      const moves = async () => (await painted()) < (await painted());
      return Promise.race([moves(), never]);
    }),
  );
}

/** Above this, from 0 to 1, somebody is heard. */
export const AUDIBLE = 0.01;

/** How loud the loudest voice of the others is, from 0 to 1: for a second and a half, or until somebody is heard. */
export async function loudness(page) {
  return page.evaluate(async (audible) => {
    const tracks = [...document.querySelectorAll("audio")].flatMap((audio) => audio.srcObject?.getAudioTracks() ?? []);
    const context = new AudioContext();
    let loudest = 0;
    const analysers = tracks.map((track) => {
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      return analyser;
    });
    const samples = new Float32Array(2048);
    // The fake microphone beeps once in a second.
    for (let look = 0; look < 30 && loudest <= audible; look += 1) {
      for (const analyser of analysers) {
        analyser.getFloatTimeDomainData(samples);
        loudest = Math.max(loudest, ...samples.map(Math.abs));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await context.close();
    return loudest;
  }, AUDIBLE);
}

/** Has the pages that a page opens from now on count in `asked` how often they ask for a device. Firefox has empty documents without any. */
export async function countAsked(page) {
  await page.addInitScript(() => {
    window.asked = 0;
    if (!navigator.mediaDevices) return;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (constraints) => ((window.asked += 1), ask(constraints));
  });
}
