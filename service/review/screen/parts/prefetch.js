// Pictures of the next cases, fetched and decoded before they are shown.
const kept = new Map();

function fetched(url) {
  const picture = new Image();
  picture.src = url;
  picture.decode().catch(() => {});
  return picture;
}

// Keep what the given cases show, and let go of everything else.
export function prefetch(cases) {
  const wanted = new Map();
  cases.forEach((one, place) => {
    const roles = place < 3 ? ["scene", "before", "after", "crop"] : ["scene", "crop"];
    for (const role of roles) {
      const file = one.evidence[role];
      if (file && file.url) wanted.set(file.url, true);
    }
  });
  for (const url of kept.keys()) if (!wanted.has(url)) kept.delete(url);
  for (const url of wanted.keys()) if (!kept.has(url)) kept.set(url, fetched(url));
}
