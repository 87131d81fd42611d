// Whether a key belongs to the element that has the focus, and not to the screen.
export function isTyping(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target;
  if (!(target instanceof Element)) return false;
  if (target.closest("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]")) return true;
  const isPressing = event.key === "Enter" || event.key === " ";
  if (isPressing && target.closest("button, a, input, summary")) return true;
  return event.key.startsWith("Arrow") && target.closest("input[type=range]") !== null;
}
