// What pictures are made of: plates, texts that fit, signs, bars.

class Painter {
  measured = new Map();

  plate(c, x, y, w, h, r, fill, stroke, line) {
    c.fillStyle = fill; c.strokeStyle = stroke; c.lineWidth = line;
    c.beginPath();
    if (r) c.roundRect(x, y, w, h, Math.min(r, w / 2, h / 2));
    else c.rect(x, y, w, h);
    if (fill) c.fill();
    c.stroke();
  }

  /** The sign in the corner of a group: plus to open it, minus to close it. */
  sign(c, colour, x, y, plus) {
    c.strokeStyle = colour; c.lineWidth = 1.5;
    c.beginPath(); c.moveTo(x - 5, y); c.lineTo(x + 5, y);
    if (plus) { c.moveTo(x, y - 5); c.lineTo(x, y + 5); }
    c.stroke();
  }

  /** How much of something is done. */
  bar(c, x, y, w, ground, colour, part) {
    c.fillStyle = ground; c.fillRect(x, y, w, 3);
    c.fillStyle = colour; c.fillRect(x, y, w * Math.max(0, Math.min(1, part)), 3);
  }

  /** A gradient that several paths add to: one dot for each, filled when it has arrived. */
  pips(c, colour, x, y, now, all) {
    if (all > 6) {
      c.textAlign = "right";
      this.text(c, colour, `Σ ${now}/${all}`, x + 1, y + 5, 90, "600 11px");
      c.textAlign = "left";
    }
    c.strokeStyle = c.fillStyle = colour; c.lineWidth = 1.2;
    for (let k = 0; k < all && all <= 6; k++) {
      c.beginPath();
      c.arc(x - (all - 1 - k) * 10, y, 3.2, 0, 7);
      c.stroke();
      if (k < now) c.fill();
    }
  }

  /** A title that stays legible where its box is small, in the middle of a line at y; at its end a value, if it fits. */
  small(c, b, colour, title, x, y, room, value = "", soft = "") {
    const px = b.s * this.zoom, size = 20 * px > 9 ? 10 : 9;
    if (room * px > 22) {
      if (title.length * 5.6 > room * px) title = title.replace("iterations ", "");
      this.into(c, { ...b, s: 1 / this.zoom });
      const used = this.text(c, colour, title, x * px, y * px + size * 0.36, room * px, `600 ${size}px`), wide = this.measure(c, value, `${size}px`);
      if (value && used + wide + 6 < room * px) this.text(c, soft, value, (x + room) * px - wide, y * px + size * 0.36, wide + 1, `${size}px`);
      this.into(c, b);
    }
    c.globalAlpha = 1;
  }

  setFont(c, font) {
    if (this.font !== font) c.font = `${font} ${this.shared.font}`;
    this.font = font;
  }

  measure(c, text, font) {
    const key = font + text;
    if (!this.measured.has(key)) {
      this.setFont(c, font);
      if (this.measured.size > 20000) this.measured.clear();
      this.measured.set(key, c.measureText(text).width);
    }
    return this.measured.get(key);
  }

  /** Writes a text, shortened to `room`; returns its width. */
  text(c, colour, text, x, y, room, font) {
    let w = this.measure(c, text, font);
    if (w > room) {
      let keep = Math.max(1, Math.floor(text.length * room / w) - 1);
      while (keep > 1 && this.measure(c, `${text.slice(0, keep)}…`, font) > room) keep--;
      text = `${text.slice(0, keep)}…`;
      w = this.measure(c, text, font);
    }
    this.setFont(c, font);
    c.fillStyle = colour;
    c.fillText(text, x, y);
    return w;
  }
}

/** The smallest box around some boxes. */
function around(boxes) {
  const x = Math.min(...boxes.map((b) => b.x)), y = Math.min(...boxes.map((b) => b.y));
  return { x, y, w: Math.max(...boxes.map((b) => b.x + b.w)) - x, h: Math.max(...boxes.map((b) => b.y + b.h)) - y };
}
