// Icons as lines, in the colour of the text. They are decoration: each control has its name in words.

const PATHS = {
  microphone: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3M5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21",
  microphoneOff: "M9 9.5V6a3 3 0 0 1 5.8-1M15 11V9.5M9.6 13A3 3 0 0 0 12 14M5.5 11a6.5 6.5 0 0 0 9.8 5.6M18.5 11a6.4 6.4 0 0 1-.8 3.1M12 17.5V21M4 3.5l16 17",
  camera: "M4 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2M15 11l6-3.5v9L15 13",
  cameraOff: "M9 6.5h4a2 2 0 0 1 2 2V11l6-3.5v9L17.5 14.500M15 15.500a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2M4 3.500l15 17",
  screen: "M4 4.500h16a1.500 1.500 0 0 1 1.500 1.500v9a1.500 1.500 0 0 1-1.500 1.500H4A1.500 1.500 0 0 1 2.500 15V6A1.500 1.500 0 0 1 4 4.500M8 20h8M12 13.500v-6M9.300 10L12 7.300 14.700 10",
  chat: "M5 4.500h14a1.500 1.500 0 0 1 1.500 1.500v9a1.500 1.500 0 0 1-1.500 1.500h-7L7.500 20v-3.500H5A1.500 1.500 0 0 1 3.500 15V6A1.500 1.500 0 0 1 5 4.500M8 9h8M8 12.500h5",
  people: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M2.500 20a6.500 6.500 0 0 1 13 0M16 4.300a3.500 3.500 0 0 1 0 6.500M18 14.300a6.500 6.500 0 0 1 3.500 5.700",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.200a2.200 2.200 0 1 0 0-4.400 2.200 2.200 0 0 0 0 4.400M9 19.200a2.200 2.200 0 1 0 0-4.400 2.200 2.200 0 0 0 0 4.400",
  leave: "M14 4.500H6A1.500 1.500 0 0 0 4.500 6v12A1.500 1.500 0 0 0 6 19.500h8M10 12h10.500M17 8.500l3.500 3.500-3.500 3.500",
  end: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M8.500 8.500h7v7h-7z",
  guest: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M2.500 20a6.500 6.500 0 0 1 13 0M19 8v6M16 11h6",
  link: "M10 14a4 4 0 0 0 6 .500l3-3a4 4 0 0 0-5.700-5.700L12 7M14 10a4 4 0 0 0-6-.500l-3 3a4 4 0 0 0 5.700 5.700L12 17",
  previous: "M14.500 6L8.500 12l6 6",
  next: "M9.500 6l6 6-6 6",
  close: "M6 6l12 12M18 6L6 18",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 7v5l3.500 2",
  sound: "M4 9.500v5h3.500L12 18.500v-13L7.500 9.500zM15.500 9a4 4 0 0 1 0 6M18 6.500a7.500 7.500 0 0 1 0 11",
} as const;

export type Icon = keyof typeof PATHS;

/** An icon, hidden from screen readers. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  // What points along the line of text is mirrored with it.
  if (name === "leave" || name === "previous" || name === "next") svg.classList.add("directed");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
