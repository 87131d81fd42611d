// What is known of a case, in words: how long, how sure, and what was at this place before.
const DAY_S = 86400;

export const CaseFacts = {
  props: { one: Object, kindName: String, isChanged: Boolean, t: Function, zone: String, language: String, states: Object },
  computed: {
    begin() { return Date.parse(this.one.started_at); },
    until() { return Date.parse(this.one.ended_at || this.one.last_seen_at); },
    spans() {
      const raised = Math.min(Math.max(Date.parse(this.one.raised_at), this.begin), this.until);
      const whole = Math.max(1, this.until - this.begin);
      const first = (100 * (raised - this.begin)) / whole;
      return [
        { name: "dwelling", share: first },
        { name: "raised", share: 100 - first },
      ].filter((span) => span.share > 0);
    },
    marks() {
      const whole = Math.max(1, this.until - this.begin);
      return this.one.still_at
        .map((at) => (100 * (Date.parse(at) - this.begin)) / whole)
        .filter((share) => share >= 0 && share <= 100);
    },
    wants() {
      const share = this.one.rule_dwell_s ? (1000 * this.one.rule_dwell_s * 100) / Math.max(1, this.until - this.begin) : null;
      return share !== null && share <= 100 ? share : null;
    },
    // Where the time went, as shares of it: seen, hidden and seen again, unknown.
    parts() {
      if (!this.one.dwell) return [];
      const whole = Math.max(1, this.one.dwell_s);
      return ["observed", "bridged", "unknown"].map((name) => {
        const seconds = this.one.dwell[name + "_s"];
        return { name, seconds, share: Math.min(100, (100 * seconds) / whole) };
      });
    },
    last() {
      if (this.one.ended_at) return this.t("ended");
      return this.one.verification === "cannot_see" ? this.t("cannot_see") : this.t("still_there");
    },
    signs() { return [...new Set(this.one.signs)]; },
  },
  methods: {
    time(iso) {
      return new Intl.DateTimeFormat(this.language, { timeZone: this.zone, dateStyle: "short", timeStyle: "medium", hourCycle: "h23" }).format(new Date(iso));
    },
    lasting(seconds) {
      const whole = Math.round(seconds);
      const parts = [[Math.floor(whole / DAY_S), "day"], [Math.floor((whole % DAY_S) / 3600), "hour"], [Math.floor((whole % 3600) / 60), "minute"], [whole % 60, "second"]];
      const first = parts.findIndex(([count]) => count > 0);
      const shown = first < 0 ? [parts[3]] : parts.slice(first, first + 2).filter(([count]) => count > 0);
      return shown.map(([value, unit]) => new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "short" }).format(value)).join(" ");
    },
    percent(share) { return new Intl.NumberFormat(this.language, { style: "percent" }).format(share); },
  },
  template: `
    <div class="jx-facts">
      <h2 class="jx-kind"><span class="jx-dot" :style="{ background: one.colour }" aria-hidden="true"></span>{{ kindName }}
        <span v-if="isChanged" class="jx-chip jx-chip-warn">{{ t('changed') }}</span></h2>
      <div class="jx-chips">
        <span v-if="one.experimental" class="jx-chip jx-chip-warn" :title="t('experimental_hint')">{{ t('experimental') }}</span>
        <span v-if="one.stage === 'supervisor'" class="jx-chip jx-chip-bad">{{ t('disputed') }}</span>
        <span v-if="one.recurrences" class="jx-chip jx-chip-warn">{{ t('recurrences').replace('{count}', one.recurrences) }}</span>
        <span v-if="one.occurrences > 1" class="jx-chip">{{ t('occurrences').replace('{count}', one.occurrences) }}</span>
      </div>
      <dl class="jx-list">
        <div><dt>{{ t('camera') }}</dt><dd>{{ one.camera_name }}</dd></div>
        <div><dt>{{ t('zone') }}</dt><dd>{{ one.zone_id }}</dd></div>
        <div><dt>{{ t('since') }}</dt><dd>{{ time(one.started_at) }}</dd></div>
        <div><dt>{{ last }}</dt><dd>{{ time(one.ended_at || one.last_seen_at) }}</dd></div>
      </dl>
      <section class="jx-block" :aria-label="t('timeline')">
        <div class="jx-row"><h3>{{ t('stood') }}</h3><strong>{{ lasting(one.dwell_s) }}</strong></div>
        <div class="jx-bar" role="img" :aria-label="t('stood') + ' ' + lasting(one.dwell_s)">
          <span v-for="span in spans" :key="span.name" :class="'jx-span-' + span.name" :style="{ width: span.share + '%' }"></span>
          <i v-for="(share, place) in marks" :key="place" class="jx-mark" :style="{ left: share + '%' }"></i>
          <i v-if="wants !== null" class="jx-wants" :style="{ left: wants + '%' }"></i>
        </div>
        <template v-if="parts.length">
          <div class="jx-bar" aria-hidden="true">
            <span v-for="part in parts" :key="part.name" :class="'jx-dwell-' + part.name" :style="{ width: part.share + '%' }"
              :title="t('dwell_means_' + part.name)"></span>
          </div>
          <ul class="jx-dwell" :aria-label="t('dwell')">
            <li v-for="part in parts" :key="part.name" :title="t('dwell_means_' + part.name)">
              <i :class="'jx-dwell-' + part.name" aria-hidden="true"></i>{{ t('dwell_' + part.name) }} <b>{{ lasting(part.seconds) }}</b>
              <span class="jx-unseen">{{ t('dwell_means_' + part.name) }}</span></li>
          </ul>
        </template>
        <p v-else class="jx-soft">{{ t('dwell_none') }}</p>
        <div class="jx-row jx-soft"><span>{{ t('looks').replace('{count}', one.frames_seen) }}</span>
          <span v-if="one.rule_dwell_s">{{ t('rule_wants') }} {{ lasting(one.rule_dwell_s) }}</span></div>
      </section>
      <section class="jx-block" :aria-label="t('model')">
        <div class="jx-row"><h3>{{ t('confidence') }}</h3><strong>{{ percent(one.confidence) }}</strong></div>
        <div class="jx-bar" aria-hidden="true"><span class="jx-span-score" :style="{ width: 100 * one.confidence + '%' }"></span></div>
        <div class="jx-row jx-soft"><span>{{ signs.join(', ') || t('no_signs') }}</span><span>{{ one.model }}</span></div>
      </section>
      <section class="jx-block">
        <h3>{{ t('same_place') }}</h3>
        <ul v-if="one.history.length" class="jx-history">
          <li v-for="other in one.history" :key="other.id"><span>{{ time(other.raised_at) }}</span>
            <span class="jx-state" :class="'jx-state-' + other.state">{{ states[other.state] || other.state }}</span></li>
        </ul>
        <p v-else class="jx-soft">{{ t('nothing_before') }}</p>
      </section>
      <section v-if="one.perhaps_same.length" class="jx-block">
        <h3>{{ t('perhaps_same') }}</h3>
        <ul class="jx-history">
          <li v-for="other in one.perhaps_same" :key="other.id"><span>{{ other.camera_id }}</span>
            <span class="jx-soft">{{ other.distance_m === null ? '' : t('metres').replace('{count}', Math.round(other.distance_m)) }}</span>
            <span class="jx-state" :class="'jx-state-' + other.state">{{ states[other.state] || other.state }}</span></li>
        </ul>
      </section>
    </div>`,
};
