// Pictures are fetched one after another, so that a wall of a hundred cameras asks for no more
// than one masked picture at a time.
const FRESH_MS = 20000;
const REST_MS = 400;

export default {
  template: `
    <div>
      <div class="jx-strip jx-wall-bar" role="search">
        <label class="jx-find">
          <span class="jx-unseen">{{ texts.find }}</span>
          <input type="search" v-model.trim="wanted" :placeholder="texts.find" />
        </label>
        <div class="jx-toggle" role="group" :aria-label="texts.show">
          <button type="button" :aria-pressed="String(!amiss)" @click="amiss = false">
            {{ texts.all }} <b>{{ tiles.length }}</b>
          </button>
          <button type="button" :aria-pressed="String(amiss)" @click="amiss = true">
            {{ texts.amiss }} <b>{{ ailing }}</b>
          </button>
        </div>
        <label class="jx-check"><input type="checkbox" v-model="overlay" /> {{ texts.overlay }}</label>
      </div>
      <p v-if="!shown.length" class="jx-empty">{{ tiles.length ? texts.nothing : texts.none }}</p>
      <ul class="jx-wall" :aria-label="texts.cameras">
        <li v-for="one in shown" :key="one.id" class="jx-camera" :class="'jx-tone-' + one.tone">
          <button type="button" class="jx-camera-picture" :data-camera="one.id" ref="pictures"
              @click="open(one)" :aria-label="texts.enlarge + ' ' + one.name">
            <img v-if="pictures[one.id]" :src="pictures[one.id].url" alt="" />
            <span v-else class="jx-camera-none">{{ faults[one.id] || texts.loading }}</span>
            <span v-if="pictures[one.id]" class="jx-camera-time">{{ clock(pictures[one.id].takenAt) }}</span>
          </button>
          <div class="jx-camera-text">
            <div class="jx-camera-head">
              <b :title="one.id">{{ one.name }}</b>
              <span class="jx-badge" :class="'jx-' + one.tone">{{ one.state }}</span>
            </div>
            <div class="jx-camera-detail" :title="one.detail">{{ one.detail }}</div>
            <div class="jx-camera-foot">
              <span>{{ one.cases }}</span>
              <a v-if="zones" :href="zones + encodeURIComponent(one.id)">{{ texts.zones }}</a>
            </div>
          </div>
        </li>
      </ul>
      <dialog ref="large" class="jx-large" @close="enlarged = null" @click.self="$refs.large.close()"
          :aria-label="enlarged ? enlarged.name : ''">
        <template v-if="enlarged">
          <img v-if="pictures[enlarged.id]" :src="pictures[enlarged.id].url" :alt="enlarged.name" />
          <p v-else class="jx-camera-none">{{ faults[enlarged.id] || texts.loading }}</p>
          <div class="jx-large-foot">
            <b>{{ enlarged.name }}</b><span>{{ enlarged.id }}</span>
            <span v-if="pictures[enlarged.id]">{{ clock(pictures[enlarged.id].takenAt) }}</span>
            <button type="button" class="jx-quiet" autofocus @click="$refs.large.close()">{{ texts.close }}</button>
          </div>
        </template>
      </dialog>
    </div>`,
  props: { tiles: Array, texts: Object, snapshots: String, timezone: String, zones: String },
  data() {
    return { wanted: "", amiss: false, overlay: false, pictures: {}, faults: {}, enlarged: null };
  },
  computed: {
    ailing() {
      return this.tiles.filter((one) => ["warn", "bad"].includes(one.tone)).length;
    },
    shown() {
      const wanted = this.wanted.toLowerCase();
      return this.tiles.filter(
        (one) =>
          (!this.amiss || ["warn", "bad"].includes(one.tone)) &&
          (one.name.toLowerCase().includes(wanted) || one.id.toLowerCase().includes(wanted)),
      );
    },
  },
  watch: {
    overlay() {
      this.asked = {};
    },
    shown() {
      this.$nextTick(this.observe);
    },
  },
  mounted() {
    this.asked = {};
    this.seen = new Set();
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const id = entry.target.dataset.camera;
        entry.isIntersecting ? this.seen.add(id) : this.seen.delete(id);
      }
    });
    this.observe();
    this.run();
  },
  beforeUnmount() {
    this.ended = true;
    this.observer.disconnect();
    for (const one of Object.values(this.pictures)) URL.revokeObjectURL(one.url);
  },
  methods: {
    observe() {
      this.observer.disconnect();
      this.seen.clear();
      for (const element of this.$refs.pictures || []) this.observer.observe(element);
    },
    async run() {
      while (!this.ended) {
        const id = this.next();
        if (id) await this.load(id);
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
      }
    },
    next() {
      if (document.hidden) return null;
      const due = performance.now() - FRESH_MS;
      const stale = (this.enlarged ? [this.enlarged.id] : this.shown.map((one) => one.id)).filter(
        (id) => (this.enlarged || this.seen.has(id)) && (this.asked[id] ?? -Infinity) < due,
      );
      return stale.sort((a, b) => (this.asked[a] ?? 0) - (this.asked[b] ?? 0))[0];
    },
    async load(id) {
      this.asked[id] = performance.now();
      try {
        const answer = await fetch(
          `${this.snapshots}${encodeURIComponent(id)}/snapshot?overlay=${this.overlay}`,
        );
        if (!answer.ok) {
          this.drop(id);
          this.faults[id] = this.texts[`picture_${answer.status}`] || this.texts.picture_404;
          return;
        }
        const url = URL.createObjectURL(await answer.blob());
        this.drop(id);
        delete this.faults[id];
        this.pictures[id] = { url, takenAt: answer.headers.get("x-taken-at") };
      } catch {
        this.faults[id] = this.texts.picture_503;
      }
    },
    drop(id) {
      if (this.pictures[id]) URL.revokeObjectURL(this.pictures[id].url);
      delete this.pictures[id];
    },
    clock(at) {
      const place = { timeZone: this.timezone };
      return at ? new Date(at).toLocaleTimeString(document.documentElement.lang, place) : "";
    },
    open(one) {
      this.enlarged = one;
      this.$refs.large.showModal();
    },
  },
};
