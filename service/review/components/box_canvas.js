import { SceneView } from "jiexu-screen";

// A picture with the box of a case, to be corrected; a box that was changed can be put back.
export default {
  components: { SceneView },
  props: { texts: Object, file: Object, frame: Object, given: Array, colour: String, label: String },
  emits: ["box"],
  data: () => ({ box: null }),
  methods: {
    t(key) { return this.texts[key] ?? key; },
    put(box) { this.box = box; this.$emit("box", box); },
  },
  template: `
    <div class="jx-box-canvas" role="group" :aria-label="t('edit_box')">
      <div class="jx-box-picture" :style="{ aspectRatio: file.width + ' / ' + file.height }">
        <scene-view :file="file" :frame="frame" :box="box || given" :zone="null" :colour="colour" :label="label" :editing="true" :t="t" @change="put" />
      </div>
      <div class="jx-row"><span class="jx-hint">{{ t('editing') }}</span>
        <button type="button" class="jx-quiet" :disabled="!box" @click="put(null)">{{ t('box_back') }}</button></div>
    </div>`,
};
