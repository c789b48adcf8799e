// Plays voices: browsers do not know AMR, so a worker decodes it (amrnb.js, which
// loads with the first voice). The file itself stays as it came and can be saved.
"use strict";
class VoicePlayer extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.line = this.querySelector("progress");
    this.button.addEventListener("click", () => this.toggle());
  }

  say(state) {
    this.dataset.state = state;
    this.button.textContent = this.dataset[state] || this.dataset.play;
  }

  async toggle() {
    if (this.source) { this.stop(); return; }
    this.say("loading");
    try {
      this.samples ??= await this.load();
      this.start();
    } catch (error) {
      this.say(error.message === "wb" ? "wideband" : "failed");
    }
  }

  async load() {
    const answer = await fetch(this.dataset.src, { cache: "no-store" });
    if (!answer.ok) throw new Error("status " + answer.status);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (new TextDecoder("latin1").decode(bytes.subarray(0, 9)) === "#!AMR-WB\n") throw new Error("wb");
    const worker = new Worker("/assets/voice-worker.js");
    try {
      const samples = await new Promise((resolve, reject) => {
        worker.onmessage = (event) => event.data.amr ? resolve(event.data.amr) : reject(new Error("not decoded"));
        worker.onerror = () => reject(new Error("the worker failed"));
        worker.postMessage({ command: "decode", buffer: bytes });
      });
      this.dataset.samples = samples.length;
      this.dataset.peak = samples.reduce((peak, v) => Math.max(peak, Math.abs(v)), 0).toFixed(3);
      return samples;
    } finally {
      worker.terminate();
    }
  }

  start() {
    VoicePlayer.context ??= new AudioContext();
    const context = VoicePlayer.context;
    context.resume();
    const buffer = context.createBuffer(1, this.samples.length, 8000);
    buffer.copyToChannel(Float32Array.from(this.samples), 0);
    this.source = context.createBufferSource();
    this.source.buffer = buffer;
    this.source.connect(context.destination);
    this.source.onended = () => this.stop();
    const begun = context.currentTime;
    this.line.max = buffer.duration;
    this.timer = setInterval(() => {
      this.line.value = context.currentTime - begun;
      this.dataset.at = (context.currentTime - begun).toFixed(2);
    }, 100);
    this.source.start();
    this.say("stop");
  }

  stop() {
    clearInterval(this.timer);
    if (this.source) { this.source.onended = null; this.source.stop(); }
    this.source = null;
    this.line.value = 0;
    this.say("play");
  }
}
customElements.define("voice-player", VoicePlayer);
