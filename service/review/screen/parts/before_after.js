// Two pictures of one view over each other, with a slider between them.
export const BeforeAfter = {
  props: { before: Object, after: Object, t: Function, afterLabel: String },
  data: () => ({ share: 50 }),
  template: `
    <div class="jx-picture jx-compare">
      <img class="jx-fit" :src="before.url" :alt="t('before')" draggable="false">
      <img class="jx-fit" :src="after.url" :alt="afterLabel" draggable="false"
        :style="{ clipPath: 'inset(0 0 0 ' + share + '%)' }">
      <span class="jx-tag jx-tag-left">{{ t('before') }}</span>
      <span class="jx-tag jx-tag-right">{{ afterLabel }}</span>
      <div class="jx-split" :style="{ left: share + '%' }" aria-hidden="true"></div>
      <input class="jx-slide" type="range" min="0" max="100" v-model.number="share" :aria-label="t('slider')">
    </div>`,
};
