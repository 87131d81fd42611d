const STEP = 0.005;
const FAR_STEP = 0.05;
const DRAG_PX = 3;
const RETRY_MS = 5000;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const clamp = (value) => Math.min(1, Math.max(0, value));

export default {
  template: `
    <div class="jx-canvas-frame">
      <div class="jx-canvas-hold"><div class="jx-canvas" ref="canvas" :style="{ aspectRatio: width + ' / ' + height, '--ratio': width / height }"
          :class="{ 'jx-canvas-draws': drawing }" @keydown="key">
        <img v-if="source" :src="source" alt="" @load="measured" draggable="false" />
        <p v-else class="jx-canvas-none">{{ fault || texts.loading }}</p>
        <svg ref="svg" :viewBox="'0 0 ' + width + ' ' + height" preserveAspectRatio="none" role="group"
            :aria-label="texts.picture" tabindex="-1"
            @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="let_go"
            @dblclick.prevent="finish" @contextmenu.prevent>
          <g v-for="(zone, index) in placed" :key="index" :style="{ '--zone': zone.colour }"
              :class="{ 'jx-zone-chosen': index === selected, 'jx-zone-faulty': zone.faulty }">
            <component :is="zone.line ? 'polyline' : 'polygon'" class="jx-area" :class="{ 'jx-area-line': zone.line }"
                :points="path(zone.points)" :data-zone="index" tabindex="0" role="button"
                :aria-label="zone.name" :aria-pressed="String(index === selected)"
                @keydown.enter.stop="$emit('choose', index)" @keydown.space.stop.prevent="$emit('choose', index)" />
            <text class="jx-zone-name" :x="label(zone).x" :y="label(zone).y" :font-size="13 * unit">{{ zone.name }}</text>
          </g>
          <g v-for="(one, at) in fromCamera ? marks || [] : []" :key="'b' + at" class="jx-mark-box" :class="'jx-mark-' + one.tone">
            <rect :x="one.box[0]" :y="one.box[1]" :width="one.box[2] - one.box[0]" :height="one.box[3] - one.box[1]" />
            <text class="jx-zone-name" :x="one.box[0]" :y="one.box[1] - 5 * unit" :font-size="12 * unit">{{ one.name }}</text>
          </g>
          <g v-if="chosen" :style="{ '--zone': chosen.colour }">
            <circle v-for="(point, at) in middles" :key="'m' + at" class="jx-middle" :data-middle="at"
                :cx="point[0] * width" :cy="point[1] * height" :r="5 * unit" />
            <circle v-for="(point, at) in chosen.points" :key="'p' + at" class="jx-point"
                :class="{ 'jx-point-active': at === active }" :data-point="at" tabindex="0" role="button"
                :aria-label="name(at, point)" :cx="point[0] * width" :cy="point[1] * height" :r="7 * unit"
                @focus="active = at" />
          </g>
          <g v-if="drawing" class="jx-new">
            <polyline :points="path(pending ? [...fresh, pending] : fresh)" />
            <circle v-for="(point, at) in fresh" :key="at" :cx="point[0] * width" :cy="point[1] * height"
                :r="(at ? 5 : 8) * unit" :class="{ 'jx-new-first': !at }" />
          </g>
        </svg>
      </div></div>
      <div class="jx-canvas-foot">
        <div class="jx-canvas-hint" role="status">
          {{ drawing ? (drawing === 'line' ? texts.draw_line : texts.draw_polygon) : chosen ? texts.edit : texts.pick }}
        </div>
        <div class="jx-canvas-tools">
          <template v-if="drawing">
            <button type="button" class="jx-quiet" @click="finish" :disabled="fresh.length < least">{{ texts.finish }}</button>
            <button type="button" class="jx-quiet" @click="place">{{ texts.place }}</button>
            <button type="button" class="jx-quiet" @click="$emit('cancel')">{{ texts.cancel }}</button>
          </template>
          <template v-else-if="chosen && active !== null">
            <button type="button" class="jx-quiet" @click="insert">{{ texts.insert }}</button>
            <button type="button" class="jx-quiet" @click="remove"
                :disabled="chosen.points.length <= least">{{ texts.remove }}</button>
          </template>
          <span class="jx-canvas-source">
            <span v-if="takenAt">{{ takenAt }}</span>
            <button type="button" class="jx-quiet" @click="load">{{ texts.again }}</button>
            <label class="jx-quiet jx-upload">{{ texts.upload }}
              <input type="file" accept="image/*" @change="upload" />
            </label>
          </span>
        </div>
      </div>
    </div>`,
  props: {
    texts: Object,
    snapshot: String,
    timezone: String,
    zones: Array,
    selected: Number,
    drawing: String,
    marks: Array,
    changed: Boolean,
    heard: Number,
  },
  emits: ["points", "drawn", "choose", "undo", "redo", "cancel"],
  data() {
    return {
      source: null,
      fault: null,
      takenAt: null,
      fromCamera: false,
      width: 1600,
      height: 900,
      unit: 1,
      active: null,
      gesture: null,
      moved: null,
      told: 0,
      fresh: [],
      pending: null,
    };
  },
  computed: {
    placed() {
      const zones = this.zones || [];
      if (!this.moved) return zones;
      return zones.map((zone, index) =>
        index === this.moved.index ? { ...zone, points: this.moved.points } : zone,
      );
    },
    chosen() {
      return this.drawing || this.selected == null ? null : this.placed[this.selected];
    },
    middles() {
      const points = this.chosen.points;
      const last = this.chosen.line ? points.length - 1 : points.length;
      return Array.from({ length: last }, (_, at) => {
        const [ax, ay] = points[at];
        const [bx, by] = points[(at + 1) % points.length];
        return [(ax + bx) / 2, (ay + by) / 2];
      });
    },
    least() {
      return (this.drawing ? this.drawing === "line" : this.chosen?.line) ? 2 : 3;
    },
  },
  watch: {
    zones() {
      this.settle();
    },
    selected() {
      this.active = null;
    },
    drawing() {
      this.fresh = [];
      this.pending = null;
      if (this.drawing) this.$nextTick(() => this.$refs.svg.focus());
    },
  },
  mounted() {
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.$refs.canvas);
    this.leaving = (event) => {
      if (this.changed) event.preventDefault();
    };
    this.pressed = (event) => {
      const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
      if (!undo || event.target.closest("input, textarea, [contenteditable]")) return;
      event.preventDefault();
      this.$emit(event.shiftKey ? "redo" : "undo");
    };
    window.addEventListener("beforeunload", this.leaving);
    window.addEventListener("keydown", this.pressed);
    this.load();
  },
  beforeUnmount() {
    this.sizes.disconnect();
    window.removeEventListener("beforeunload", this.leaving);
    window.removeEventListener("keydown", this.pressed);
    clearTimeout(this.retry);
    if (this.source) URL.revokeObjectURL(this.source);
  },
  methods: {
    async load() {
      clearTimeout(this.retry);
      try {
        const answer = await fetch(this.snapshot);
        if (!answer.ok) {
          this.fault = answer.status === 503 ? this.texts.no_mask : this.texts.no_picture;
          if (!this.source) this.retry = setTimeout(this.load, RETRY_MS);
          return;
        }
        this.show(await answer.blob());
        this.fromCamera = true;
        const at = new Date(answer.headers.get("x-taken-at"));
        this.takenAt = at.toLocaleString(document.documentElement.lang, { timeZone: this.timezone });
      } catch {
        this.fault = this.texts.no_picture;
      }
    },
    upload(event) {
      const file = event.target.files[0];
      if (!file) return;
      clearTimeout(this.retry);
      this.show(file);
      this.fromCamera = false;
      this.takenAt = file.name;
    },
    show(blob) {
      if (this.source) URL.revokeObjectURL(this.source);
      this.source = URL.createObjectURL(blob);
    },
    measured(event) {
      this.width = event.target.naturalWidth;
      this.height = event.target.naturalHeight;
      this.$nextTick(this.resize);
    },
    resize() {
      this.unit = this.width / Math.max(1, this.$refs.canvas.clientWidth);
    },
    path(points) {
      return points.map(([x, y]) => `${x * this.width},${y * this.height}`).join(" ");
    },
    // At the lowest point: away from the camera, zones of a street run together.
    label(zone) {
      const low = zone.points.reduce((a, b) => (b[1] > a[1] ? b : a), zone.points[0] || [0, 0]);
      const x = Math.min(low[0] * this.width + 6 * this.unit, this.width * 0.85);
      return { x, y: Math.max(low[1] * this.height - 8 * this.unit, 16 * this.unit) };
    },
    name(at, [x, y]) {
      return `${this.texts.point} ${at + 1}: ${Math.round(100 * x)} %, ${Math.round(100 * y)} %`;
    },
    at(event) {
      const box = this.$refs.svg.getBoundingClientRect();
      return [
        clamp((event.clientX - box.left) / box.width),
        clamp((event.clientY - box.top) / box.height),
      ];
    },
    tell(index, points) {
      this.moved = { index, points };
      this.told += 1;
      this.$emit("points", { index, points, number: this.told });
    },
    // An answer to an earlier stroke must not take back a later one that is still on its way.
    settle() {
      if (!this.gesture && this.heard === this.told) this.moved = null;
    },
    let_go() {
      this.gesture = null;
      this.settle();
    },
    down(event) {
      if (event.button) return;
      if (this.drawing) return;
      const { point, middle, zone } = event.target.dataset;
      if (this.chosen && middle !== undefined) {
        const at = Number(middle) + 1;
        const points = this.chosen.points.slice();
        points.splice(at, 0, this.at(event));
        this.moved = { index: this.selected, points };
        this.active = at;
        this.begin(event, "point", at, true);
      } else if (this.chosen && point !== undefined) {
        this.active = Number(point);
        this.begin(event, "point", Number(point));
      } else if (zone !== undefined && Number(zone) === this.selected) {
        this.begin(event, "zone", null);
      } else if (zone !== undefined) {
        this.$emit("choose", Number(zone));
      } else {
        this.$emit("choose", null);
      }
    },
    begin(event, what, point, inserted = false) {
      this.gesture = {
        what,
        point,
        from: this.at(event),
        px: [event.clientX, event.clientY],
        points: this.chosen.points.map((one) => one.slice()),
        inserted,
        isDrag: false,
      };
      this.$refs.svg.setPointerCapture(event.pointerId);
    },
    move(event) {
      if (this.drawing) {
        if (event.pointerType === "mouse") this.pending = this.fresh.length ? this.at(event) : null;
        return;
      }
      if (!this.gesture) return;
      const { what, point, from, px, points } = this.gesture;
      const far = Math.hypot(event.clientX - px[0], event.clientY - px[1]);
      if (!this.gesture.isDrag && far < DRAG_PX) return;
      this.gesture.isDrag = true;
      const [x, y] = this.at(event);
      const shift = (one) => [clamp(one[0] + x - from[0]), clamp(one[1] + y - from[1])];
      const shifted = points.map((one, at) => (what === "zone" || at === point ? shift(one) : one));
      this.moved = { index: this.selected, points: shifted };
    },
    up(event) {
      if (this.drawing) {
        this.add(event);
        return;
      }
      const gesture = this.gesture;
      if (gesture && (gesture.isDrag || gesture.inserted)) this.tell(this.selected, this.moved.points);
      this.let_go();
    },
    add(event) {
      const point = this.at(event);
      const [first] = this.fresh;
      const near = (one) =>
        Math.hypot((one[0] - point[0]) * this.width, (one[1] - point[1]) * this.height) < 10 * this.unit;
      if (first && this.fresh.length >= this.least && this.drawing !== "line" && near(first)) {
        this.finish();
      } else if (!this.fresh.length || !near(this.fresh.at(-1))) {
        this.fresh.push(point);
      }
    },
    finish() {
      if (!this.drawing || this.fresh.length < this.least) return;
      this.$emit("drawn", this.fresh);
      this.fresh = [];
      this.pending = null;
    },
    place() {
      const polygon = [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]];
      this.$emit("drawn", this.drawing === "line" ? [[0.3, 0.5], [0.7, 0.5]] : polygon);
    },
    insert() {
      const points = this.chosen.points.slice();
      const isEnd = this.chosen.line && this.active === points.length - 1;
      const at = isEnd ? this.active : this.active + 1;
      points.splice(at, 0, this.middles[at - 1]);
      this.tell(this.selected, points);
      this.active = at;
    },
    remove() {
      if (this.chosen.points.length <= this.least) return;
      const points = this.chosen.points.filter((_, at) => at !== this.active);
      this.tell(this.selected, points);
      this.active = null;
    },
    key(event) {
      if (this.drawing) {
        if (event.key === "Enter" && event.target === this.$refs.svg) this.finish();
        else if (event.key === "Escape") this.$emit("cancel");
        else if (event.key === "Backspace") this.fresh.pop();
        return;
      }
      if (event.key === "Escape") this.$emit("choose", null);
      const { point } = event.target.dataset;
      if (!this.chosen || point === undefined) return;
      if (event.key in ARROWS) {
        const step = event.shiftKey ? FAR_STEP : STEP;
        const [dx, dy] = ARROWS[event.key];
        const points = this.chosen.points.map((one, at) =>
          at === Number(point) ? [clamp(one[0] + dx * step), clamp(one[1] + dy * step)] : one,
        );
        this.tell(this.selected, points);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        this.remove();
      } else if (event.key === "Insert" || event.key === "+") {
        this.insert();
      } else {
        return;
      }
      event.preventDefault();
    },
  },
};
