import { leaflet as L } from "nicegui-leaflet";
import { loadResource } from "../../static/utils/resources.js";

const CLOSE_ZOOM = 17;

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export default {
  template: `<div class="jx-map" role="region" :aria-label="texts.map"></div>`,
  props: {
    places: Array,
    texts: Object,
    tiles: String,
    attribution: String,
    resourcePath: String,
  },
  watch: {
    places() {
      this.draw();
    },
  },
  async mounted() {
    await this.$nextTick();
    await loadResource(window.path_prefix + `${this.resourcePath}/leaflet/leaflet.css`);
    this.map = L.map(this.$el, { zoomControl: false, attributionControl: Boolean(this.tiles) });
    L.control
      .zoom({ zoomInTitle: this.texts.zoom_in, zoomOutTitle: this.texts.zoom_out })
      .addTo(this.map);
    L.control.scale({ imperial: false }).addTo(this.map);
    if (this.tiles) {
      this.map.attributionControl.setPrefix(false);
      L.tileLayer(this.tiles, { attribution: this.attribution, maxZoom: 19 }).addTo(this.map);
    }
    this.markers = new Map();
    this.map.setView([31.8, 119.97], 12);
    this.draw();
    this.sizes = new ResizeObserver(() => this.map.invalidateSize());
    this.sizes.observe(this.$el);
  },
  beforeUnmount() {
    this.sizes?.disconnect();
    this.map?.remove();
  },
  methods: {
    draw() {
      if (!this.markers) return;
      const wanted = new Set(this.places.map((place) => place.id));
      for (const [id, marker] of this.markers) {
        if (wanted.has(id)) continue;
        marker.remove();
        this.markers.delete(id);
      }
      for (const place of this.places) {
        const at = [place.lat, place.lon];
        let marker = this.markers.get(place.id);
        if (!marker) {
          marker = L.marker(at, { keyboard: true, riseOnHover: true }).addTo(this.map);
          marker.bindPopup("", { minWidth: 220 });
          if (!this.tiles) {
            marker.bindTooltip("", { permanent: true, direction: "right", offset: [14, 0], className: "jx-map-name" });
          }
          this.markers.set(place.id, marker);
        }
        marker.setLatLng(at);
        marker.setIcon(this.icon(place));
        marker.setPopupContent(this.popup(place));
        marker.setTooltipContent(element("span", "", place.name));
        const pin = marker.getElement();
        pin?.setAttribute("aria-label", `${place.name}, ${place.state}, ${place.cases}`);
      }
      if (!this.isFitted && this.places.length) {
        this.isFitted = true;
        const bounds = L.latLngBounds(this.places.map((place) => [place.lat, place.lon]));
        this.map.fitBounds(bounds.pad(0.2), { maxZoom: CLOSE_ZOOM, animate: false });
      }
    },
    icon(place) {
      const pin = element("span", `jx-pin jx-pin-${place.tone}`, place.count || "");
      if (place.kinds.length) pin.style.setProperty("--kind", place.kinds[0].colour);
      pin.classList.toggle("jx-pin-cases", place.count > 0);
      const size = place.count ? 34 : 22;
      return L.divIcon({ html: pin, className: "jx-pin-hold", iconSize: [size, size] });
    },
    popup(place) {
      const card = element("div", "jx-map-card");
      const head = element("div", "jx-camera-head");
      head.append(element("b", "", place.name), element("span", `jx-badge jx-${place.tone}`, place.state));
      card.append(head);
      for (const kind of place.kinds) {
        const row = element("div", "jx-map-kind");
        const dot = element("i", "jx-swatch");
        dot.style.background = kind.colour;
        row.append(dot, element("span", "", kind.name), element("b", "", kind.count));
        card.append(row);
      }
      if (!place.kinds.length) card.append(element("div", "jx-map-kind", this.texts.no_cases));
      const links = element("div", "jx-map-links");
      for (const { text, href } of place.links) {
        const link = element("a", "", text);
        link.href = href;
        links.append(link);
      }
      card.append(links);
      return card;
    },
  },
};
