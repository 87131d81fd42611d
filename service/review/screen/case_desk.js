import { BeforeAfter, CaseFacts, isTyping, prefetch, SceneView } from "jiexu-screen";

const UNDO = 40;

// One case a screen. The next cases are here already: the next one is painted at once, and what
// was decided is told afterwards; what does not hold comes back.
export default {
  components: { BeforeAfter, CaseFacts, SceneView },
  props: {
    texts: Object, states: Object, kinds: Object, reasons: Array, timezone: String, language: String,
    mayOpen: Boolean, wanted: Object,
  },
  emits: ["decide", "undo", "pass", "alike", "let_go", "original", "active"],
  data: () => ({
    cases: [], sent: [], waiting: 0, decided: 0, isEmpty: false, isUndoing: false,
    view: "scene", kind: null, box: null, isEditing: false, note: "", isNoting: false,
    panel: null, alike: [], picked: [], why: "", wish: null, original: null,
    message: null, shownAt: 0, wasActive: false,
  }),
  computed: {
    one() { return this.cases[0] || null; },
    scene() { return this.file("scene"); },
    kindName() { return this.kinds[this.kind || this.one.kind] || this.one.kind_name; },
    shownBox() { return this.box || this.one.box; },
    canCompare() { return this.file("before") && (this.file("after") || this.scene); },
    tabs() {
      const found = [{ name: "scene", text: this.t("scene") }];
      if (this.file("crop")) found.push({ name: "crop", text: this.t("crop") });
      if (this.canCompare) found.push({ name: "compare", text: this.t("compare") });
      if (this.one.evidence.clip) found.push({ name: "clip", text: this.t("clip") });
      return found;
    },
    keyList() {
      return [
        ["C", this.t("confirm")], ["1 – 9", this.t("reject")], ["K", this.t("change_kind")], ["S", this.t("not_sure")],
        ["N", this.t("next")], ["U", this.t("undo")], ["B", this.t("edit_box")], ["M", this.t("note")], ["V", this.t("next_view")],
        ["A", this.t("alike")], ["P", this.t("play")], ["Esc", this.t("close")], ["?", this.t("help")],
      ];
    },
  },
  watch: {
    cases: { handler(cases) { prefetch(cases); }, deep: false },
    "one.id"() { this.fresh(); },
  },
  created() {
    this.told = new Map();
  },
  mounted() {
    this.onKey = (event) => this.pressed(event);
    this.onAct = () => { this.wasActive = true; };
    window.addEventListener("keydown", this.onKey);
    window.addEventListener("pointerdown", this.onAct);
    this.timer = window.setInterval(() => {
      if (this.wasActive) this.$emit("active");
      this.wasActive = false;
    }, 60000);
  },
  unmounted() {
    window.removeEventListener("keydown", this.onKey);
    window.removeEventListener("pointerdown", this.onAct);
    window.clearInterval(this.timer);
  },
  methods: {
    t(key) { return this.texts[key] ?? key; },
    file(role) {
      const file = this.one && this.one.evidence[role];
      return file && file.url ? file : null;
    },
    fresh() {
      this.view = "scene"; this.kind = null; this.box = null; this.isEditing = false; this.note = ""; this.isNoting = false;
      this.original = null; this.shownAt = performance.now();
      if (this.panel !== "help") this.panel = null;
    },
    // Told by the service.
    receive(cases, waiting) {
      const known = new Set(this.cases.map((one) => one.id));
      this.cases = [...this.cases, ...cases.filter((one) => !known.has(one.id))];
      this.waiting = waiting;
      this.isEmpty = this.cases.length === 0;
    },
    refused(id, fault, one) {
      this.sent = this.sent.filter((other) => other !== id);
      this.decided = Math.max(0, this.decided - 1);
      this.tell(this.t("fault_" + fault), "bad");
      const back = one || (fault === "failed" ? this.told.get(id) : null);
      if (back) this.bring(back);
    },
    undone(one, fault) {
      this.isUndoing = false;
      if (fault) return this.tell(this.t("fault_" + fault), "bad");
      this.decided = Math.max(0, this.decided - 1);
      this.tell(this.t("undone"), "good");
      return this.bring(one);
    },
    tellFault(fault) { this.tell(this.t("fault_" + fault), "bad"); },
    showAlike(cases) {
      this.alike = cases;
      this.picked = cases.filter((one) => one.looks !== "other").map((one) => one.id);
      this.panel = "alike";
      this.$nextTick(() => this.$refs.panel && this.$refs.panel.focus());
    },
    showOriginal(role, url) {
      if (!url) return this.tell(this.t("fault_gone"), "bad");
      this.original = { role, url };
      return null;
    },
    bring(one) {
      this.cases = [one, ...this.cases.filter((other) => other.id !== one.id)];
      this.isEmpty = false;
    },
    // Done by the reviewer.
    decide(verdict, reason = null) {
      const one = this.one;
      if (!one) return;
      if (reason === "other" && !this.note.trim()) {
        this.startNote();
        this.tell(this.t("say_why"), "warn");
        return;
      }
      this.send(one, {
        verdict, reason,
        kind: verdict === "confirm" && this.kind && this.kind !== one.kind ? this.kind : null,
        box: this.box, note: this.note.trim() || null, on_screen_s: (performance.now() - this.shownAt) / 1000,
      });
      this.cases = this.cases.slice(1);
      this.isEmpty = false;
      this.tell(verdict === "reject" ? this.t("told_reject") + " " + this.reasonName(reason) : this.t("told_" + verdict), "good");
    },
    send(one, rest) {
      this.sent = [...this.sent.slice(-(UNDO - 1)), one.id];
      this.told.set(one.id, one);
      if (this.told.size > UNDO) this.told.delete(this.told.keys().next().value);
      this.decided += 1;
      this.$emit("decide", { id: one.id, version: one.version, ...rest });
    },
    pass() {
      if (!this.one) return;
      this.$emit("pass", { id: this.one.id });
      this.cases = this.cases.slice(1);
    },
    undo() {
      if (this.isUndoing) return;
      const id = this.sent[this.sent.length - 1];
      if (!id) { this.tell(this.t("nothing_to_undo"), "warn"); return; }
      this.sent = this.sent.slice(0, -1);
      this.isUndoing = true;
      this.$emit("undo", { id });
    },
    askAlike() { if (this.one) this.$emit("alike", { id: this.one.id }); },
    decideAlike(verdict, reason = null) {
      const picked = this.alike.filter((one) => this.picked.includes(one.id));
      for (const one of picked) this.send(one, { verdict, reason, kind: null, box: null, note: this.note.trim() || null, on_screen_s: null });
      const gone = new Set(picked.map((one) => one.id));
      this.closeAlike(gone);
      this.cases = this.cases.filter((one) => !gone.has(one.id));
      this.tell(this.t("told_many").replace("{count}", picked.length), "good");
    },
    closeAlike(gone = new Set()) {
      const onScreen = new Set(this.cases.map((one) => one.id));
      const left = this.alike.map((one) => one.id).filter((id) => !gone.has(id) && !onScreen.has(id));
      if (left.length) this.$emit("let_go", { ids: left });
      this.alike = [];
      this.panel = null;
    },
    askOriginal(role) { this.wish = role; this.why = ""; this.open("original"); },
    sendOriginal() {
      this.$emit("original", { id: this.one.id, role: this.wish, reason: this.why.trim() });
      this.panel = null;
    },
    open(panel) {
      if (!this.one && panel !== "help") return;
      this.panel = panel;
      this.$nextTick(() => {
        const box = this.$refs.panel;
        if (box) (box.querySelector("input, .jx-choice") || box).focus();
      });
    },
    close() {
      if (this.panel === "alike") this.closeAlike();
      else if (this.panel) this.panel = null;
      else if (this.isEditing) { this.isEditing = false; this.box = null; }
      else if (this.original) this.original = null;
    },
    choose(kind) { this.kind = kind; this.panel = null; },
    startNote() { this.isNoting = true; this.$nextTick(() => this.$refs.note && this.$refs.note.focus()); },
    turn() {
      const names = this.tabs.map((tab) => tab.name);
      this.show(names[(names.indexOf(this.view) + 1) % names.length]);
    },
    show(view) { this.view = view; this.isEditing = false; },
    edit() { this.view = "scene"; this.isEditing = !this.isEditing; },
    play() {
      if (this.view !== "clip") { this.show("clip"); return; }
      const player = this.$refs.player;
      if (player) { if (player.paused) player.play(); else player.pause(); }
    },
    moment(iso) {
      return new Intl.DateTimeFormat(this.language, { timeZone: this.timezone, dateStyle: "short", timeStyle: "short", hourCycle: "h23" }).format(new Date(iso));
    },
    reasonName(id) { const found = this.reasons.find((one) => one.id === id); return found ? found.name : ""; },
    tell(text, kind) {
      this.message = { text, kind };
      window.clearTimeout(this.hush);
      this.hush = window.setTimeout(() => { this.message = null; }, kind === "good" ? 2500 : 7000);
    },
    pressed(event) {
      this.wasActive = true;
      if (event.key === "Escape") { this.escape(event); return; }
      if (isTyping(event)) return;
      const key = event.key.toLowerCase();
      if (this.panel === "kind" && /^[1-9]$/.test(key)) {
        const kind = Object.keys(this.kinds)[Number(key) - 1];
        if (kind) this.choose(kind);
      } else if (this.panel === "alike" && (key === "c" || /^[1-9]$/.test(key))) {
        if (key === "c") this.decideAlike("confirm");
        else this.rejectBy(key, (id) => id !== "other" && this.decideAlike("reject", id));
      } else if (this.panel && this.panel !== "reject") {
        if (key === "?") this.panel = null; else return;
      } else if (/^[1-9]$/.test(key)) {
        this.rejectBy(key, (id) => this.decide("reject", id));
      } else {
        const acts = {
          c: () => this.decide("confirm"), s: () => this.decide("not_sure"), n: () => this.pass(), u: () => this.undo(),
          k: () => this.open("kind"), r: () => this.open("reject"), b: () => this.one && this.edit(), m: () => this.startNote(),
          v: () => this.one && this.turn(), a: () => this.askAlike(), p: () => this.one && this.one.evidence.clip && this.play(),
          "?": () => this.open("help"),
        };
        if (!acts[key]) return;
        acts[key]();
      }
      event.preventDefault();
    },
    rejectBy(key, act) {
      const reason = this.reasons.find((one) => one.key === key);
      if (reason) act(reason.id);
    },
    escape(event) {
      if (document.activeElement === this.$refs.note) { this.$refs.note.blur(); return; }
      this.close();
      event.preventDefault();
    },
  },
  template: `
  <div class="jx-desk" :data-case="one ? one.id : ''" :data-ready="cases.length">
    <div class="jx-said" role="status" aria-live="polite">
      <span v-if="message" class="jx-toast" :class="'jx-toast-' + message.kind">{{ message.text }}</span>
    </div>
    <template v-if="one">
      <section class="jx-stage" :aria-label="t('evidence')">
        <div class="jx-tabs">
          <div class="jx-tablist" role="tablist" :aria-label="t('views')"><button v-for="tab in tabs" :key="tab.name" type="button" role="tab" :aria-selected="view === tab.name ? 'true' : 'false'"
            class="jx-tab" @click="show(tab.name)">{{ tab.text }}</button></div>
          <span class="jx-grow"></span>
          <button v-if="view === 'scene' && scene" type="button" class="jx-tab" :aria-pressed="isEditing ? 'true' : 'false'" @click="edit">
            {{ isEditing ? t('editing') : t('edit_box') }} <kbd>B</kbd></button>
          <button v-if="mayOpen" type="button" class="jx-tab" @click="askOriginal(view === 'compare' ? 'before' : view)">{{ t('open_original') }}</button>
        </div>
        <div class="jx-frame">
          <div v-if="original" class="jx-picture">
            <video v-if="original.role === 'clip'" class="jx-fit" :src="original.url" controls autoplay muted loop></video>
            <img v-else class="jx-fit" :src="original.url" :alt="t('original')">
            <span class="jx-tag jx-tag-left">{{ t('original') }}</span>
          </div>
          <scene-view v-else-if="view === 'scene' && scene" :file="scene" :frame="one.evidence.frame" :box="shownBox" :zone="one.zone" :colour="one.colour"
            :label="kindName + ', ' + one.camera_name" :editing="isEditing" :t="t" @change="box = $event" />
          <before-after v-else-if="view === 'compare'" :key="one.id" :before="file('before')" :after="file('after') || scene"
            :after-label="file('after') ? t('after') : t('scene')" :t="t" />
          <div v-else-if="view === 'crop'" class="jx-picture"><img class="jx-fit" :src="file('crop').url" :alt="t('crop')"></div>
          <div v-else-if="view === 'clip' && file('clip')" class="jx-picture">
            <video ref="player" class="jx-fit" :src="file('clip').url" controls autoplay muted loop></video></div>
          <div v-else class="jx-none"><p>{{ view === 'clip' ? t('clip_sealed') : t('no_picture') }}</p>
            <button v-if="mayOpen" type="button" class="jx-secondary" @click="askOriginal(view)">{{ t('open_original') }}</button></div>
        </div>
      </section>
      <aside class="jx-side" :aria-label="t('facts')">
        <img v-if="file('crop')" class="jx-crop" :src="file('crop').url" :alt="t('crop')" decoding="sync" @click="show('crop')">
        <case-facts :one="one" :kind-name="kindName" :is-changed="kind !== null && kind !== one.kind" :t="t" :zone="timezone"
          :language="language" :states="states" />
        <label v-if="isNoting || note" class="jx-field jx-note"><span>{{ t('note') }}</span>
          <textarea ref="note" v-model="note" maxlength="1000" rows="2"></textarea></label>
      </aside>
      <footer class="jx-actions" :aria-label="t('actions')">
        <button type="button" class="jx-act jx-act-good" @click="decide('confirm')">{{ t('confirm') }} <kbd>C</kbd></button>
        <button type="button" class="jx-act jx-act-bad" @click="open('reject')">{{ t('reject') }} <kbd>1–9</kbd></button>
        <button type="button" class="jx-act" @click="open('kind')">{{ t('change_kind') }} <kbd>K</kbd></button>
        <button type="button" class="jx-act" @click="decide('not_sure')">{{ t('not_sure') }} <kbd>S</kbd></button>
        <button type="button" class="jx-act" @click="pass">{{ t('next') }} <kbd>N</kbd></button>
        <button type="button" class="jx-act" :disabled="!sent.length || isUndoing" @click="undo">{{ t('undo') }} <kbd>U</kbd></button>
        <button type="button" class="jx-act" @click="askAlike">{{ t('alike') }} <kbd>A</kbd></button>
        <button type="button" class="jx-act" @click="startNote">{{ t('note') }} <kbd>M</kbd></button>
        <span class="jx-grow"></span>
        <span class="jx-count">{{ t('counts').replace('{waiting}', waiting).replace('{decided}', decided) }}</span>
        <button type="button" class="jx-act" :aria-label="t('help')" @click="open('help')">?</button>
      </footer>
    </template>
    <div v-else class="jx-rest">
      <p class="jx-rest-title">{{ isEmpty ? t('all_done') : t('loading') }}</p>
      <p v-if="decided" class="jx-soft">{{ t('counts').replace('{waiting}', waiting).replace('{decided}', decided) }}</p>
      <button v-if="sent.length" type="button" class="jx-secondary" @click="undo">{{ t('undo') }} <kbd>U</kbd></button>
    </div>
    <div v-if="panel" class="jx-veil" @click.self="close">
      <div ref="panel" class="jx-panel" :class="{ 'jx-panel-wide': panel === 'alike' }" role="dialog" aria-modal="true" tabindex="-1"
        :aria-label="t('panel_' + panel)">
        <div class="jx-row"><h2>{{ t('panel_' + panel) }}</h2>
          <button type="button" class="jx-tool" :aria-label="t('close')" @click="close">✕</button></div>
        <ul v-if="panel === 'reject'" class="jx-choices">
          <li v-for="reason in reasons" :key="reason.id"><button type="button" class="jx-choice" @click="panel = null; decide('reject', reason.id)">
            <kbd>{{ reason.key }}</kbd> {{ reason.name }}</button></li>
        </ul>
        <ul v-else-if="panel === 'kind'" class="jx-choices">
          <li v-for="(name, id, place) in kinds" :key="id"><button type="button" class="jx-choice" :aria-pressed="(kind || one.kind) === id ? 'true' : 'false'"
            @click="choose(id)"><kbd>{{ place + 1 }}</kbd> {{ name }}</button></li>
        </ul>
        <dl v-else-if="panel === 'help'" class="jx-keys">
          <div v-for="[key, text] in keyList" :key="key"><dt><kbd>{{ key }}</kbd></dt><dd>{{ text }}</dd></div>
          <div v-for="reason in reasons" :key="reason.id"><dt><kbd>{{ reason.key }}</kbd></dt><dd>{{ t('reject') }}: {{ reason.name }}</dd></div>
        </dl>
        <form v-else-if="panel === 'original'" class="jx-form" @submit.prevent="sendOriginal">
          <p class="jx-soft">{{ t('original_hint') }}</p>
          <label class="jx-field"><span>{{ t('original_reason') }}</span><input v-model="why" required minlength="3" maxlength="500"></label>
          <button type="submit" class="jx-primary">{{ t('open_original') }}</button>
        </form>
        <template v-else-if="panel === 'alike'">
          <p class="jx-soft">{{ t('alike_hint') }}</p>
          <ul class="jx-tiles">
            <li v-for="other in alike" :key="other.id"><label class="jx-tile"><input type="checkbox" :value="other.id" v-model="picked">
              <img v-if="other.evidence.crop && other.evidence.crop.url" :src="other.evidence.crop.url" alt="">
              <span>{{ moment(other.raised_at) }}<template v-if="other.looks === 'other'"> · {{ t('looks_other') }}</template></span></label></li>
          </ul>
          <div class="jx-row jx-wrap"><button type="button" class="jx-act jx-act-good" :disabled="!picked.length" @click="decideAlike('confirm')">
              {{ t('confirm') }} {{ picked.length }} <kbd>C</kbd></button>
            <button v-for="reason in reasons.filter((one) => one.id !== 'other')" :key="reason.id" type="button" class="jx-act" :disabled="!picked.length" @click="decideAlike('reject', reason.id)">
              <kbd>{{ reason.key }}</kbd> {{ reason.name }}</button></div>
        </template>
      </div>
    </div>
  </div>`,
};
