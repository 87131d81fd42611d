export { SceneView } from "./scene_view.js";
export { BeforeAfter } from "./before_after.js";
export { CaseFacts } from "./case_facts.js";
export { prefetch } from "./prefetch.js";
export { isTyping } from "./keys.js";
