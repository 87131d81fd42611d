// The scene with zone and box drawn over it; the box can be corrected with mouse, pen, finger or keys.
const SMALLEST = 6;
// By one press of an arrow, a box moves or grows by this share of the picture's width.
const STEP = 0.01;

export const SceneView = {
  // Boxes are in pixels of `frame`, of which the scene may be a smaller copy.
  props: { file: Object, frame: Object, box: Array, zone: Object, colour: String, label: String, editing: Boolean, t: Function },
  emits: ["change"],
  data: () => ({ drag: null }),
  computed: {
    width() { return this.file.width; },
    height() { return this.file.frame_height; },
    stroke() { return Math.max(2, this.width / 480); },
    grip() { return Math.max(8, this.width / 110); },
    outline() {
      return this.zone ? this.zone.points.map(([x, y]) => `${x * this.width},${y * this.height}`).join(" ") : "";
    },
    scale() {
      return this.frame ? [this.width / this.frame.width, this.height / this.frame.height] : [1, 1];
    },
    shown() { return this.box && this.box.map((value, i) => value * this.scale[i % 2]); },
    corners() {
      if (!this.shown) return [];
      const [x1, y1, x2, y2] = this.shown;
      return [
        { name: "nw", x: x1, y: y1 }, { name: "ne", x: x2, y: y1 },
        { name: "sw", x: x1, y: y2 }, { name: "se", x: x2, y: y2 },
      ];
    },
  },
  watch: {
    editing(now) { if (now) this.$nextTick(() => this.$refs.over.focus({ preventScroll: true })); },
  },
  methods: {
    place(event) {
      const point = new DOMPoint(event.clientX, event.clientY);
      const { x, y } = point.matrixTransform(this.$refs.over.getScreenCTM().inverse());
      return [Math.min(Math.max(x, 0), this.width), Math.min(Math.max(y, 0), this.height)];
    },
    begin(event, grip) {
      if (!this.editing) return;
      event.preventDefault();
      this.$refs.over.setPointerCapture(event.pointerId);
      this.drag = { grip, from: this.place(event), box: this.shown && [...this.shown] };
    },
    move(event) {
      if (!this.drag) return;
      const [x, y] = this.place(event);
      const { grip, from, box } = this.drag;
      if (grip === "new" || !box) return this.change(this.ordered([from[0], from[1], x, y]));
      let [x1, y1, x2, y2] = box;
      if (grip === "all") {
        const dx = Math.min(Math.max(x - from[0], -x1), this.width - x2);
        const dy = Math.min(Math.max(y - from[1], -y1), this.height - y2);
        return this.change([x1 + dx, y1 + dy, x2 + dx, y2 + dy]);
      }
      if (grip.includes("w")) x1 = x; else x2 = x;
      if (grip.includes("n")) y1 = y; else y2 = y;
      return this.change(this.ordered([x1, y1, x2, y2]));
    },
    end() {
      if (!this.drag) return;
      const before = this.drag.box;
      this.drag = null;
      const box = this.shown;
      if (box && (box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST)) this.change(before);
    },
    // Arrows move the box, with Shift they move its lower right corner.
    press(event) {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const way = ways[event.key];
      if (!this.editing || !this.shown || !way) return;
      event.preventDefault();
      event.stopPropagation();
      const [x1, y1, x2, y2] = this.shown;
      const [dx, dy] = way.map((one) => one * STEP * this.width);
      const within = (value, low, high) => Math.min(Math.max(value, low), high);
      if (event.shiftKey) {
        this.change([x1, y1, within(x2 + dx, x1 + SMALLEST, this.width), within(y2 + dy, y1 + SMALLEST, this.height)]);
      } else {
        const [across, down] = [within(dx, -x1, this.width - x2), within(dy, -y1, this.height - y2)];
        this.change([x1 + across, y1 + down, x2 + across, y2 + down]);
      }
    },
    change(shown) { this.$emit("change", shown && shown.map((value, i) => value / this.scale[i % 2])); },
    ordered([x1, y1, x2, y2]) {
      return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
    },
  },
  template: `
    <div class="jx-picture">
      <img class="jx-fit" :src="file.url" :alt="label" decoding="sync" draggable="false">
      <svg ref="over" class="jx-fit jx-over" :class="{ 'jx-editing': editing }"
        :viewBox="'0 0 ' + width + ' ' + file.height" preserveAspectRatio="xMidYMid meet" :aria-hidden="editing ? null : 'true'"
        :role="editing ? 'application' : null" :tabindex="editing ? 0 : null" :aria-label="editing ? t('box_keys') : null" @keydown="press"
        @pointerdown="begin($event, 'new')" @pointermove="move" @pointerup="end" @pointercancel="end">
        <template v-if="outline">
          <component :is="zone.closed ? 'polygon' : 'polyline'" :points="outline" class="jx-zone" :stroke-width="stroke" />
        </template>
        <template v-if="shown">
          <rect :x="shown[0]" :y="shown[1]" :width="Math.max(0, shown[2] - shown[0])" :height="Math.max(0, shown[3] - shown[1])"
            class="jx-box" :stroke="colour" :stroke-width="stroke * 1.5" @pointerdown.stop="begin($event, 'all')" />
          <template v-if="editing">
            <rect v-for="one in corners" :key="one.name" class="jx-grip" :class="'jx-' + one.name" :fill="colour"
              :x="one.x - grip / 2" :y="one.y - grip / 2" :width="grip" :height="grip"
              @pointerdown.stop="begin($event, one.name)" />
          </template>
        </template>
      </svg>
    </div>`,
};
